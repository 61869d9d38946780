//! The expression that yields an event's key, for structs and for enums.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Index, LitInt, Member, Result};

use crate::attributes::KeyChoice;

/// The body of `Event::key`.
pub(crate) fn body(input: &DeriveInput, key: &KeyChoice) -> Result<TokenStream> {
    let path = match key {
        KeyChoice::None => return Ok(quote!(::core::option::Option::None)),
        KeyChoice::Path(path) => path,
    };
    let span = path.span();
    let text = match &input.data {
        Data::Enum(data) if !calls_method(path) => by_variant(input, data, path)?,
        _ => {
            let expression = parse(quote!(self.#path), path)?;
            quote_spanned!(span=> ::tidings::__private::key_text(&#expression))
        }
    };
    Ok(quote!(::core::option::Option::Some(#text)))
}

/// `key()`: the first thing after `self.` is a call, which an enum answers as a whole.
fn calls_method(path: &TokenStream) -> bool {
    matches!(path.clone().into_iter().nth(1), Some(TokenTree::Group(_)))
}

fn by_variant(input: &DeriveInput, data: &DataEnum, path: &TokenStream) -> Result<TokenStream> {
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), "an event has at least one variant"));
    }
    let mut tokens = path.clone().into_iter();
    let member = first_member(tokens.next(), path)?;
    let rest: TokenStream = tokens.collect();
    let span = path.span();
    let value = parse(quote!(__key #rest), path)?;
    let mut arms = Vec::new();
    for variant in &data.variants {
        if !has(&variant.fields, &member) {
            return Err(Error::new(
                variant.ident.span(),
                format!(
                    "the key `{}` is missing in variant `{}`: each variant of an event has its key",
                    member.to_token_stream(),
                    variant.ident
                ),
            ));
        }
        let name = &variant.ident;
        arms.push(quote_spanned!(span=>
            Self::#name { #member: __key, .. } => ::tidings::__private::key_text(&#value)
        ));
    }
    Ok(quote!(match self { #(#arms,)* }))
}

fn first_member(first: Option<TokenTree>, path: &TokenStream) -> Result<Member> {
    match first {
        Some(TokenTree::Ident(ident)) => Ok(Member::Named(ident)),
        Some(TokenTree::Literal(literal)) => {
            let number: LitInt = syn::parse2(literal.to_token_stream())?;
            Ok(Member::Unnamed(Index { index: number.base10_parse()?, span: number.span() }))
        }
        _ => {
            Err(Error::new(path.span(), "write what stands after `self.`, such as key = order_id"))
        }
    }
}

fn has(fields: &Fields, member: &Member) -> bool {
    fields.members().any(|m| &m == member)
}

fn parse(tokens: TokenStream, path: &TokenStream) -> Result<syn::Expr> {
    syn::parse2(tokens).map_err(|_| {
        Error::new(
            path.span(),
            format!(
                "`self.{path}` is no expression: write what stands after `self.`, such as \
                 key = order_id"
            ),
        )
    })
}
