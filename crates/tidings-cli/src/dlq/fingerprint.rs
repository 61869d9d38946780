//! What failures of one kind have in common. Ours say it in a header; for others it is worked out
//! from who failed, on what type, with which error and which sentence without its variable parts.

use sha2::{Digest, Sha256};

/// How much of a sentence is looked at: other frameworks put whole documents into it.
const LOOKED_AT_BYTES: usize = 16 * 1024;

/// Eight bytes as hex over the parts, each behind its length.
pub fn of(parts: [&str; 4]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A sentence without its variable parts: `no such customer: 00391` is `no such customer:
/// <number>`. What is normal already stays as it is.
pub fn normal(sentence: &str) -> String {
    let end = sentence.floor_char_boundary(LOOKED_AT_BYTES);
    let mut rest = &sentence[..end];
    let mut text = String::new();
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        let (length, replaced) = quoted(before, rest)
            .map(|length| (length, Some("<text>".to_owned())))
            .or_else(|| uuid(before, rest).map(|length| (length, Some("<uuid>".to_owned()))))
            .or_else(|| word(rest).map(|word| (word.len(), Some(normal_word(word)))))
            .unwrap_or((next.len_utf8(), None));
        match replaced {
            Some(placeholder) => text.push_str(&placeholder),
            None => text.push(next),
        }
        before = rest[..length].chars().next_back();
        rest = &rest[length..];
    }
    text
}

/// The length of a quoted text at the start: its quote opens after a space or a bracket and closes
/// before one, or the apostrophes of `can't` and `isn't` would quote what is between them.
fn quoted(before: Option<char>, rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`' | '“' | '«'))?;
    let opens = before.is_none_or(|c| c.is_whitespace() || "([{=:,".contains(c));
    if !opens {
        return None;
    }
    let close = match quote {
        '“' => '”',
        '«' => '»',
        same => same,
    };
    let closes = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || ")]}:;,.!?=".contains(c));
    let from = quote.len_utf8();
    rest[from..]
        .match_indices(close)
        .map(|(at, _)| from + at + close.len_utf8())
        .find(|end| closes(rest[*end..].chars().next()))
}

/// The length of a UUID at the start.
fn uuid(before: Option<char>, rest: &str) -> Option<usize> {
    const LENGTH: usize = 36;
    let text = rest.get(..LENGTH)?;
    let is_uuid = text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let apart = |c: Option<char>| c.is_none_or(|c| !is_word(c) && c != '-');
    let stands_alone = apart(before) && apart(rest[LENGTH..].chars().next());
    (is_uuid && stands_alone).then_some(LENGTH)
}

/// The word at the start.
fn word(rest: &str) -> Option<&str> {
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word that is a number, a hash or a made-up id is a placeholder; of others, the numbers in it.
fn normal_word(word: &str) -> String {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digit = |c: char| c.is_ascii_digit();
    let is_number = word.chars().all(digit);
    if is_number {
        return "<number>".to_owned();
    }
    let after_0x = word.strip_prefix("0x").filter(|text| !text.is_empty());
    if after_0x.is_some_and(hex) || (word.len() >= 8 && hex(word) && word.contains(digit)) {
        return "<hex>".to_owned();
    }
    let runs = word.split(|c: char| !digit(c)).filter(|run| !run.is_empty()).count();
    if word.len() >= 8 && runs >= 2 {
        return "<id>".to_owned();
    }
    let mut text = String::new();
    for c in word.chars() {
        match digit(c) {
            false => text.push(c),
            true if text.ends_with("<number>") => {}
            true => text.push_str("<number>"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sentences_without_their_variable_parts() {
        for (sentence, expected) in [
            ("no such customer: 00391", "no such customer: <number>"),
            ("total -17.50 is below 0", "total -<number>.<number> is below <number>"),
            ("order 01a215bd-736f-7472-93cb-da388dc255c8 is gone", "order <uuid> is gone"),
            ("id=01A215BD-736F-7472-93CB-DA388DC255C8", "id=<uuid>"),
            ("commit deadbeef1 at 0x7ffe12", "commit <hex> at <hex>"),
            ("missing field `total_cents` at line 1", "missing field <text> at line <number>"),
            (r#"cannot parse "a \"b" as a date"#, "cannot parse <text> as a date"),
            ("status='FAILED', code=\"E17\"", "status=<text>, code=<text>"),
            ("can't read: isn't there", "can't read: isn't there"),
            ("an \"open quote", "an \"open quote"),
            ("order1042 is late", "order<number> is late"),
            ("token a7f3kq9z expired", "token <id> expired"),
            ("the facade faded", "the facade faded"),
            ("größe 7 €", "größe <number> €"),
            ("“Ada” is unknown", "<text> is unknown"),
            ("", ""),
        ] {
            assert_eq!(normal(sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_parts_and_not_of_their_concatenation() {
        assert_eq!(of(["a", "b", "c", "d"]).len(), 16);
        assert_ne!(of(["a", "b", "c", "d"]), of(["ab", "", "c", "d"]));
    }

    proptest! {
        #[test]
        fn what_is_normal_stays(sentence in "\\PC{0,60}") {
            let once = normal(&sentence);
            prop_assert_eq!(normal(&once), once);
        }

        #[test]
        fn quotes_and_numbers_in_any_order_are_normal_after_one_look(
            sentence in "[a-f0-9'\"` (:=,.<>x_-]{0,40}",
        ) {
            let once = normal(&sentence);
            prop_assert_eq!(normal(&once), once);
        }

        #[test]
        fn the_numbers_make_no_difference(a in any::<u64>(), b in any::<u64>()) {
            let of = |n: u64| normal(&format!("order {n} of shop-{n} costs {n}.{n} (n={n})"));
            prop_assert_eq!(of(a), of(b));
        }

        #[test]
        fn the_words_do(a in "[g-z]{1,12}", b in "[g-z]{1,12}") {
            prop_assume!(a != b);
            prop_assert_ne!(normal(&format!("no {a} here")), normal(&format!("no {b} here")));
        }
    }
}
