//! Without a fuzzer: every seed, and every input that once found something, runs through its
//! target.

use crate::{seeds, targets};

#[test]
fn seeds_and_past_findings_run_through_every_target() {
    for target in targets::ALL {
        let inputs = seeds::of(target.name).expect("seeds can be read");
        assert!(!inputs.is_empty(), "{} has no seeds", target.name);
        for input in inputs {
            (target.run)(&input);
            for cut in [0, input.len() / 3, input.len().saturating_sub(1)] {
                (target.run)(&input[..cut]);
            }
        }
    }
}

#[test]
fn each_regression_belongs_to_a_target() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let name = entry.expect("readable").file_name().into_string().expect("a target's name");
        assert!(targets::find(&name).is_some(), "no target is called {name}");
    }
}
