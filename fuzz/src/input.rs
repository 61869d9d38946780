//! Takes a fuzzer's bytes apart into the pieces that a target needs. Never fails: at the end there
//! are zeros and empty pieces.

/// The bytes that are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Up to `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A piece with its length in two bytes before it.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = u16::from_be_bytes([self.byte(), self.byte()]);
        self.take(length.into())
    }

    pub(crate) fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(taken);
        i64::from_be_bytes(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts together what [`Input::piece`] takes apart: for seeds.
pub(crate) fn piece(out: &mut Vec<u8>, content: &[u8]) {
    let length = u16::try_from(content.len()).expect("seeds are small");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content);
}
