//! `#[derive(Events)]`: each field of the value that was chosen is published, in the order of
//! declaration.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut field_types = Vec::new();
    let body = match &input.data {
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                arm(quote!(Self::#name), &variant.fields, &mut field_types)
            });
            let arms: Vec<_> = arms.collect();
            if arms.is_empty() { quote!(match self {}) } else { quote!(match self { #(#arms)* }) }
        }
        Data::Struct(data) => {
            let arm = arm(quote!(Self), &data.fields, &mut field_types);
            quote!(match self { #arm })
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union cannot hold events: use an enum with an event in each variant",
            ));
        }
    };
    let name = &input.ident;
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        let clause = generics.make_where_clause();
        for ty in field_types {
            clause.predicates.push(syn::parse_quote!(#ty: ::tidings::IntoEvents));
        }
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::tidings::IntoEvents for #name #ty_generics #where_clause {
            #[allow(unused_variables)]
            fn push_into(self, events: &mut ::tidings::Events) {
                #body
            }
        }
    })
}

fn arm(path: TokenStream, fields: &Fields, types: &mut Vec<syn::Type>) -> TokenStream {
    let members: Vec<_> = fields.members().collect();
    let names: Vec<_> = (0..members.len()).map(|n| format_ident!("__event{n}")).collect();
    types.extend(fields.iter().map(|f| f.ty.clone()));
    let pushes = fields.iter().zip(&names).map(|(field, name)| {
        quote_spanned!(field.ty.span()=> ::tidings::IntoEvents::push_into(#name, events);)
    });
    quote!(#path { #(#members: #names),* } => { #(#pushes)* })
}
