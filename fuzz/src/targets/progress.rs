//! The metadata beside a committed offset: the text as it is, or bytes with a right checksum.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings::progress::{NotProgress, Progress};

use crate::input::Input;

/// A longer text may have lost some of its finished offsets, which is as designed.
const WHOLE_CHARS: usize = 3_072;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let raw = input.byte() & 1 == 1;
    let committed = input.number();
    let text = if raw {
        String::from_utf8_lossy(input.0).into_owned()
    } else {
        let mut content = b"T\x01".to_vec();
        content.extend_from_slice(input.0);
        let crc = crc32c::crc32c(&content);
        content.extend_from_slice(&crc.to_le_bytes());
        URL_SAFE_NO_PAD.encode(content)
    };
    let read = match Progress::decode(&text, committed) {
        Err(NotProgress::OtherOffset { written, .. }) => Progress::decode(&text, written),
        read => read,
    };
    let Ok(progress) = read else { return };
    assert!(!progress.is_finished(progress.committed), "the committed offset is unfinished");
    let _ = (progress.is_finished(i64::MAX), progress.finished_beyond());
    let written = progress.encode();
    assert!(written.len() <= WHOLE_CHARS.max(text.len()), "{} characters", written.len());
    let again = Progress::decode(&written, progress.committed).expect("what it wrote itself");
    assert_eq!((again.committed, &again.handlers), (progress.committed, &progress.handlers));
    if written.len() < WHOLE_CHARS / 2 {
        assert_eq!(again, progress);
    }
}
