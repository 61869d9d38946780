//! What `#[event(...)]` says: parsed and checked here, so that each mistake gets one sentence at
//! its place.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Ident, LitInt, LitStr, Result, Token};

/// Kafka's limit on the length of a topic's name.
const TOPIC_NAME_MAX_BYTES: usize = 249;

/// The checked content of `#[event(...)]`.
pub(crate) struct Attributes {
    pub(crate) ty: LitStr,
    pub(crate) version: u32,
    pub(crate) topic: LitStr,
    pub(crate) key: KeyChoice,
    /// What stands before `/<key>` in the subject.
    pub(crate) subject: Option<LitStr>,
}

/// Either an expression after `self.`, or the spoken choice to have no key.
pub(crate) enum KeyChoice {
    Path(TokenStream),
    None,
}

impl Attributes {
    pub(crate) fn of(input: &DeriveInput) -> Result<Attributes> {
        let mut found = Found::default();
        let mut any = false;
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("event")) {
            any = true;
            let more: Found = attribute.parse_args()?;
            found.merge(more)?;
        }
        let at = match input.attrs.iter().find(|a| a.path().is_ident("event")) {
            Some(attribute) => attribute.span(),
            None => input.ident.span(),
        };
        if !any {
            return Err(Error::new(
                at,
                format!(
                    "`{}` says nothing about itself: add #[event(type = \
                     \"com.example.order.placed\", version = 1, topic = \"orders\", \
                     key = order_id)]",
                    input.ident
                ),
            ));
        }
        found.check(at)
    }
}

#[derive(Default)]
struct Found {
    ty: Option<LitStr>,
    version: Option<LitInt>,
    topic: Option<LitStr>,
    key: Option<TokenStream>,
    no_key: Option<Span>,
    subject: Option<LitStr>,
}

impl Found {
    fn merge(&mut self, other: Found) -> Result<()> {
        fn take<T: ToTokens>(mine: &mut Option<T>, theirs: Option<T>, name: &str) -> Result<()> {
            match (&mine, theirs) {
                (_, None) => Ok(()),
                (None, theirs) => {
                    *mine = theirs;
                    Ok(())
                }
                (Some(_), Some(again)) => Err(twice(again.span(), name)),
            }
        }
        take(&mut self.ty, other.ty, "type")?;
        take(&mut self.version, other.version, "version")?;
        take(&mut self.topic, other.topic, "topic")?;
        take(&mut self.key, other.key, "key")?;
        take(&mut self.subject, other.subject, "subject")?;
        self.no_key = self.no_key.or(other.no_key);
        Ok(())
    }

    fn check(self, at: Span) -> Result<Attributes> {
        let missing = |what: &str, help: &str| Error::new(at, format!("{what} is missing: {help}"));
        let ty = self.ty.ok_or_else(|| {
            missing("`type`", "add type = \"com.example.order.placed\" (reverse DNS, past tense)")
        })?;
        check_type(&ty)?;
        let version = self.version.ok_or_else(|| {
            missing("`version`", "add version = 1; it grows with each change that breaks a reader")
        })?;
        let number: u32 = version.base10_parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            Error::new(version.span(), "`version` is a whole number from 1 on, such as version = 1")
        })?;
        let topic = self.topic.ok_or_else(|| {
            missing("`topic`", "add topic = \"orders\", the Kafka topic that carries this event")
        })?;
        check_topic(&topic)?;
        let key = match (self.key, self.no_key) {
            (Some(path), None) => KeyChoice::Path(path),
            (None, Some(_)) => KeyChoice::None,
            (Some(_), Some(span)) => {
                return Err(Error::new(span, "`key` and `no_key` exclude each other: keep one"));
            }
            (None, None) => {
                return Err(missing(
                    "`key`",
                    "add key = <field>, since only events of one key stay in order; or no_key, \
                     if their order does not matter",
                ));
            }
        };
        if let (Some(subject), KeyChoice::None) = (&self.subject, &key) {
            return Err(Error::new(
                subject.span(),
                "`subject` becomes `<subject>/<key>`, and this event has no key: leave one out",
            ));
        }
        Ok(Attributes { ty, version: number, topic, key, subject: self.subject })
    }
}

impl Parse for Found {
    fn parse(input: ParseStream<'_>) -> Result<Found> {
        let mut found = Found::default();
        while !input.is_empty() {
            parse_one(input, &mut found)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(found)
    }
}

fn parse_one(input: ParseStream<'_>, found: &mut Found) -> Result<()> {
    let (name, span) = if input.peek(Token![type]) {
        ("type".to_owned(), input.parse::<Token![type]>()?.span)
    } else {
        let ident: Ident = input.parse().map_err(|e| {
            Error::new(e.span(), "expected one of: type, version, topic, key, no_key, subject")
        })?;
        (ident.to_string(), ident.span())
    };
    if name == "no_key" {
        found.no_key = Some(span);
        return Ok(());
    }
    if !matches!(name.as_str(), "type" | "version" | "topic" | "key" | "subject") {
        return Err(Error::new(
            span,
            format!("`{name}` is not known here: use type, version, topic, key, no_key or subject"),
        ));
    }
    input.parse::<Token![=]>().map_err(|_| {
        Error::new(span, format!("`{name}` needs a value: {name} = {}", example(&name)))
    })?;
    let wrong = |e: Error| Error::new(e.span(), format!("write {name} = {}", example(&name)));
    let mut again = false;
    match name.as_str() {
        "type" => again = found.ty.replace(input.parse().map_err(wrong)?).is_some(),
        "version" => again = found.version.replace(input.parse().map_err(wrong)?).is_some(),
        "topic" => again = found.topic.replace(input.parse().map_err(wrong)?).is_some(),
        "subject" => again = found.subject.replace(input.parse().map_err(wrong)?).is_some(),
        _ => again |= found.key.replace(key_tokens(input, span)?).is_some(),
    }
    if again { Err(twice(span, &name)) } else { Ok(()) }
}

/// Everything up to the next comma: it is put after `self.` as it stands.
fn key_tokens(input: ParseStream<'_>, span: Span) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    match tokens.clone().into_iter().next() {
        None => Err(Error::new(span, "`key` needs a value: key = order_id")),
        Some(TokenTree::Literal(literal)) if literal.to_string().starts_with('"') => {
            Err(Error::new(
                literal.span(),
                "`key` is no text: write what stands after `self.`, such as key = order_id",
            ))
        }
        Some(TokenTree::Ident(first)) if first == "self" => {
            Err(Error::new(first.span(), "leave out `self.`: key = order_id means `self.order_id`"))
        }
        Some(_) => Ok(tokens),
    }
}

fn twice(span: Span, name: &str) -> Error {
    Error::new(span, format!("`{name}` is given twice: keep one"))
}

fn example(name: &str) -> &'static str {
    match name {
        "type" => "\"com.example.order.placed\"",
        "version" => "1",
        "topic" => "\"orders\"",
        "subject" => "\"order\"",
        _ => "order_id",
    }
}

fn check_type(ty: &LitStr) -> Result<()> {
    let text = ty.value();
    let stem_ends_in_version = text.rsplit_once(".v").is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    if text.is_empty() {
        return Err(Error::new(
            ty.span(),
            "`type` is empty: name the fact in reverse DNS and past tense",
        ));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::new(
            ty.span(),
            "`type` holds white space: use dots, such as \"com.example.order.placed\"",
        ));
    }
    if stem_ends_in_version {
        return Err(Error::new(
            ty.span(),
            "leave the version out of `type`: version = N puts `.vN` behind it on the wire",
        ));
    }
    Ok(())
}

fn check_topic(topic: &LitStr) -> Result<()> {
    let text = topic.value();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text == "." || text == ".." || text.len() > TOPIC_NAME_MAX_BYTES {
        return Err(Error::new(
            topic.span(),
            "a topic's name has 1 to 249 characters and is not `.` or `..`",
        ));
    }
    match text.chars().find(|c| !legal(*c)) {
        Some(bad) => Err(Error::new(
            topic.span(),
            format!(
                "Kafka allows no {bad:?} in a topic's name: use letters, digits, `.`, `_` and `-`"
            ),
        )),
        None => Ok(()),
    }
}
