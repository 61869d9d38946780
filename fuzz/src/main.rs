//! One program for all fuzz targets: `FUZZ_TARGET` names the one that runs, so that there is one
//! link and one build. `cargo xtask fuzz` drives it; docs/fuzzing.md tells how.
//!
//! Built as usual it is no fuzzer: `fuzz list` prints the targets, `fuzz TARGET FILE...` hands one
//! of them files, and `fuzz seeds TARGET DIR` writes what a fuzzer starts from. Its tests run every
//! seed and every input that once found something.
#![allow(unexpected_cfgs, reason = "`cargo xtask fuzz` sets `fuzzing`, nobody else")]
#![cfg_attr(fuzzing, no_main)]
#![allow(clippy::print_stdout, reason = "a tool talks to the person who started it")]

mod files;
mod input;
// The parts of the binary `tidings` that read what people and files say, as they are.
#[allow(dead_code, reason = "the targets look at less than the binary does")]
#[path = "../../crates/tidings-cli/src/event/jsonl.rs"]
mod jsonl;
#[allow(dead_code, reason = "the binary's own limits, of which few are needed here")]
#[path = "../../crates/tidings-cli/src/limits.rs"]
mod limits;
#[allow(dead_code, reason = "clap's parser in it is not needed here")]
#[path = "../../crates/tidings-cli/src/position.rs"]
mod position;
mod seeds;
mod targets;

#[cfg(fuzzing)]
mod engine {
    //! What libFuzzer calls. An input's time is that of the processor: on a machine that does other
    //! things, a clock on the wall would find slow inputs that are none.

    use std::sync::OnceLock;
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};

    use crate::{seeds, targets};

    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

    fn begin() {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names the target");
        let target = targets::find(&name).unwrap_or_else(|| panic!("no target is called {name}"));
        TARGET.set(target.run).expect("begins once");
        if let Some(dir) = std::env::var_os("FUZZ_SEEDS") {
            seeds::write(&name, dir.as_ref()).expect("seeds can be written");
        }
    }

    const LIMIT: Duration = Duration::from_secs(1);

    fn used() -> Duration {
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        clock_gettime(clock).map(Duration::from).expect("Linux has this clock")
    }

    fn run(data: &[u8]) {
        let before = used();
        TARGET.get().expect("set when it began")(data);
        let took = used() - before;
        assert!(took < LIMIT, "an input took {took:?}");
    }

    libfuzzer_sys::fuzz_target!(init: begin(), |data: &[u8]| run(data));
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((first, [])) if first == "list" => {
            for target in targets::ALL {
                println!("{:14} {}", target.name, target.what);
            }
        }
        Some((first, [name, dir])) if first == "seeds" => {
            if let Err(error) = seeds::write(name, dir.as_ref()) {
                eprintln!("error: cannot write to {dir}: {error}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((name, paths)) if !paths.is_empty() => {
            let Some(target) = targets::find(name) else {
                eprintln!("error: no target is called `{name}`; `fuzz list` names them");
                return std::process::ExitCode::from(2);
            };
            for path in paths {
                match std::fs::read(path) {
                    Ok(data) => (target.run)(&data),
                    Err(error) => {
                        eprintln!("error: cannot read {path}: {error}");
                        return std::process::ExitCode::FAILURE;
                    }
                }
            }
        }
        _ => {
            eprintln!("usage: fuzz list | fuzz seeds TARGET DIR | fuzz TARGET FILE...");
            return std::process::ExitCode::from(2);
        }
    }
    std::process::ExitCode::SUCCESS
}

#[cfg(test)]
mod tests;
