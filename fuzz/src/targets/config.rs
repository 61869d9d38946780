//! Settings from a file, the environment and flags, all three from the same bytes.

use std::cell::OnceCell;

use tempfile::NamedTempFile;
use tidings::config::{Settings, Sources};

use crate::input::Input;

thread_local! {
    static FILE: OnceCell<NamedTempFile> = const { OnceCell::new() };
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut sources = Sources::default();
    for _ in 0..input.byte() % 4 {
        let (name, value) = (text(input.piece()), text(input.piece()));
        match input.byte() % 3 {
            0 => sources.flags.push((name, value)),
            1 => sources.environment.push((format!("TIDINGS_{name}"), value)),
            _ => sources.environment.push((format!("TIDINGS_KAFKA_{name}"), value)),
        }
    }
    // A variable that names another file would read what lies on this machine.
    sources.environment.retain(|(name, _)| name != "TIDINGS_CONFIG");
    FILE.with(|slot| {
        let file = slot.get_or_init(|| NamedTempFile::new().expect("a temporary file"));
        std::fs::write(file.path(), input.0).expect("it can be written");
        sources.file = Some(file.path().to_path_buf());
        match Settings::load(sources) {
            Ok(settings) => {
                let _ = (settings.show(), settings.http(), settings.topic_partitions());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
