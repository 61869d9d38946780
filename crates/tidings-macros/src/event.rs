//! `#[derive(Event)]`. Bounds on serde stand in the bodies of the methods, not on the trait: a
//! forgotten `Serialize` is then reported once, at the type, instead of at each use of it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Error, GenericParam, Result, parse_quote};

use crate::attributes::Attributes;
use crate::key;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    refuse_what_cannot_be_an_event(input)?;
    let attributes = Attributes::of(input)?;
    let key = key::body(input, &attributes.key)?;
    let Attributes { ty, version, topic, subject, .. } = &attributes;
    let subject = subject.as_ref().map(|name| {
        let before = format!("{}/", name.value());
        quote! {
            fn subject(&self) -> ::core::option::Option<::std::string::String> {
                ::tidings::Event::key(self).map(|key| ::std::format!("{}{}", #before, key))
            }
        }
    });
    let wire = format!("{}.v{}", ty.value(), version);

    let name = &input.ident;
    let mut generics = input.generics.clone();
    if !generics.params.is_empty() {
        // What a parameter must be able to do follows from the whole type: it is serde that knows.
        generics.make_where_clause().predicates.push(parse_quote!(
            Self: ::tidings::__private::Payload
        ));
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let encode = quote_spanned!(name.span()=> ::tidings::__private::encode(self));
    let decode = quote_spanned!(name.span()=> ::tidings::__private::decode(data));
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::tidings::Event for #name #ty_generics #where_clause {
            const TYPE: &'static str = #ty;
            const VERSION: u32 = #version;
            const WIRE_TYPE: &'static str = #wire;
            const TOPIC: &'static str = #topic;

            fn key(&self) -> ::core::option::Option<::std::string::String> {
                #key
            }

            #subject

            fn encode(
                &self,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, ::tidings::EncodeError> {
                #encode
            }

            fn decode(data: &[u8]) -> ::core::result::Result<Self, ::tidings::DecodeError> {
                #decode
            }
        }
    })
}

fn refuse_what_cannot_be_an_event(input: &DeriveInput) -> Result<()> {
    if let Data::Union(data) = &input.data {
        return Err(Error::new(
            data.union_token.span,
            "a union cannot be an event: use a struct or an enum",
        ));
    }
    for param in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            return Err(Error::new(
                lifetime.lifetime.span(),
                "an event owns its data, as it outlives its record: use `String` for `&str`, \
                 `Vec<u8>` for `&[u8]`",
            ));
        }
    }
    Ok(())
}
