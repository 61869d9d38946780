//! The guard and the codec must agree on where everything is, and no bytes may hurt.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::*;
use crate::api;

/// Builds a request body from a layout: every field present, sizes small and random.
struct Builder<'a> {
    rng: &'a mut TestRng,
    version: i16,
    flexible: bool,
    out: BytesMut,
}

impl Builder<'_> {
    fn structure(&mut self, fields: &[Field]) {
        for field in fields {
            if field.since <= self.version && self.version <= field.until {
                self.field(field.kind);
            }
        }
        if self.flexible {
            self.out.put_u8(1); // one tagged field that nobody knows
            self.out.put_slice(&[0xc8, 0x01, 2, 7, 7]);
        }
    }

    fn field(&mut self, kind: Kind) {
        match kind {
            Kind::Fixed(bytes) => self.random(bytes),
            Kind::Text => {
                let length = self.below(9);
                if self.flexible {
                    self.out.put_u8(length as u8 + 1);
                } else {
                    self.out.put_i16(length as i16);
                }
                self.out.put_bytes(b'a', length);
            }
            Kind::Bytes => {
                let length = self.below(200);
                self.length(length);
                self.random(length);
            }
            Kind::Fixeds(bytes) => {
                let count = self.below(4);
                self.length(count);
                self.random(count * bytes);
            }
            Kind::Texts => {
                let count = self.below(4);
                self.length(count);
                (0..count).for_each(|_| self.field(Kind::Text));
            }
            Kind::Each(fields) => {
                let count = self.below(4);
                self.length(count);
                (0..count).for_each(|_| self.structure(fields));
            }
        }
    }

    fn length(&mut self, length: usize) {
        if !self.flexible {
            self.out.put_i32(length as i32);
        } else if length + 1 < 0x80 {
            self.out.put_u8(length as u8 + 1);
        } else {
            self.out.put_u8((length + 1) as u8 | 0x80);
            self.out.put_u8(((length + 1) >> 7) as u8);
        }
    }

    fn random(&mut self, bytes: usize) {
        for _ in 0..bytes {
            let byte = self.rng.next_u32() as u8;
            self.out.put_u8(byte);
        }
    }

    fn below(&mut self, end: u32) -> usize {
        (self.rng.next_u32() % end) as usize
    }
}

fn build(key: i16, version: i16, rng: &mut TestRng) -> Bytes {
    let Layout { flexible_from, fields } = layout(key).expect("in the table");
    let flexible = version >= flexible_from;
    let mut builder = Builder { rng, version, flexible, out: BytesMut::new() };
    builder.structure(fields);
    builder.out.freeze()
}

fn for_each_version(mut check: impl FnMut(i16, i16, &mut TestRng)) {
    let mut runner = TestRunner::new(Config::default());
    for api in api::TABLE {
        for version in api.versions.clone() {
            for _ in 0..40 {
                check(api.key, version, runner.rng());
            }
        }
    }
}

#[test]
fn every_key_of_the_table_has_a_layout() {
    for api in api::TABLE {
        assert!(layout(api.key).is_some(), "no layout for {}", api.name);
    }
}

#[test]
fn the_codec_reads_what_the_layouts_say_to_the_last_byte() {
    for_each_version(|key, version, rng| {
        let body = build(key, version, rng);
        assert_eq!(check(key, version, &body), Ok(()), "key {key} version {version}");
        let mut rest = body.clone();
        api::decode_only(key, version, &mut rest)
            .unwrap_or_else(|error| panic!("key {key} version {version}: {error}: {body:?}"));
        assert!(rest.is_empty(), "key {key} version {version} leaves {} bytes", rest.len());
    });
}

#[test]
fn a_request_cut_anywhere_is_refused() {
    for_each_version(|key, version, rng| {
        let body = build(key, version, rng);
        let cut = rng.next_u32() as usize % body.len().max(1);
        if !body.is_empty() {
            check(key, version, &body[..cut]).expect_err("a cut request");
        }
    });
}

#[test]
fn what_passes_the_guard_after_mutation_never_hurts_the_codec() {
    for_each_version(|key, version, rng| {
        let mut body = BytesMut::from(&build(key, version, rng)[..]);
        for _ in 0..=rng.next_u32() % 4 {
            if !body.is_empty() {
                let at = rng.next_u32() as usize % body.len();
                body[at] = [0, 0x7f, 0x80, 0xff, rng.next_u32() as u8][at % 5];
            }
        }
        if check(key, version, &body).is_ok() {
            // The codec may refuse it, but must neither panic nor take what the bytes do not hold.
            let _ = api::decode_only(key, version, &mut body.freeze());
        }
    });
}

#[test]
fn lengths_beyond_reason_are_refused() {
    let metadata = |count: &[u8]| check(3, 1, count);
    assert_eq!(metadata(&i32::MAX.to_be_bytes()), Err(Malformed::Count));
    assert_eq!(metadata(&(-2_i32).to_be_bytes()), Err(Malformed::Length));
    assert_eq!(metadata(&(-1_i32).to_be_bytes()), Ok(()));
    assert_eq!(check(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Malformed::Count));
    assert_eq!(check(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(Malformed::Length));
    assert_eq!(check(3, 9, &[1, 0, 0, 0, 65]), Err(Malformed::Tags));
    let mut many = BytesMut::new();
    many.put_i32(MAX_REQUEST_ELEMENTS as i32 + 1);
    many.put_bytes(0, 2 * (MAX_REQUEST_ELEMENTS + 1));
    assert_eq!(metadata(&many), Err(Malformed::TooMany));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(head) = head(&frame) {
            let body = &frame[head.body_at..];
            let api = api::find(head.key);
            let served = api.is_some_and(|api| api.versions.contains(&head.version));
            if served && check(head.key, head.version, body).is_ok() {
                let _ = api::decode_only(head.key, head.version, &mut Bytes::copy_from_slice(body));
            }
        }
    }
}
