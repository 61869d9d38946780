//! Who may depend on whom. A crate or an arrow that is in no row is refused.

use super::Finding;
use super::source::Tree;

/// What one crate of the house may use.
struct Row {
    name: &'static str,
    /// Other crates of the house.
    may_use: &'static [&'static str],
    /// Those of them that are allowed only behind a feature.
    optional: &'static [&'static str],
    /// Further ones for its tests.
    tests_may_use: &'static [&'static str],
    /// Crates from outside that have no place on its floor.
    never: &'static [&'static str],
}

/// I/O and runtimes: not for the ground floor.
const RUNTIMES: &[&str] = &["tokio", "rdkafka", "axum", "sqlx", "reqwest", "hyper"];

const ROWS: &[Row] = &[
    Row { never: RUNTIMES, ..row("tidings-macros", &[]) },
    Row { never: RUNTIMES, ..row("tidings-log", &[]) },
    // It knows bytes: no Kafka, no schemas, no service.
    Row { never: &["rdkafka", "axum", "kafka-protocol"], ..row("tidings-store", &[]) },
    // The broker speaks the protocol itself: no client inside, only in its tests.
    Row { never: &["rdkafka", "sqlx", "axum"], ..row("tidings-broker", &["tidings-log"]) },
    Row {
        optional: &["tidings-broker", "tidings-store"],
        tests_may_use: &["tidings-broker"],
        never: &["clap", "sqlx", "kafka-protocol"],
        ..row("tidings", &["tidings-macros", "tidings-broker", "tidings-store"])
    },
    row("tidings-cli", &["tidings", "tidings-broker", "tidings-log", "shop"]),
    // Examples use what a user has: the library.
    Row { never: &["rdkafka", "kafka-protocol"], ..row("shop", &["tidings"]) },
    // The yardstick and the chores stand beside the house: they run its binary and do not link it,
    // but for measuring the library, and for counting allocations, which only the process can do.
    Row { optional: &["tidings-broker"], ..row("load", &["tidings", "tidings-broker"]) },
    // With the broker inside only to prove the checker by faults that are switched on in it.
    Row { optional: &["tidings-broker"], ..row("faults", &["tidings", "tidings-broker"]) },
    // Fuzz targets reach into every floor that reads bytes from outside.
    row("fuzz", &["tidings", "tidings-broker", "tidings-log"]),
    row("xtask", &[]),
];

const fn row(name: &'static str, may_use: &'static [&'static str]) -> Row {
    Row { name, may_use, optional: &[], tests_may_use: &[], never: &[] }
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        // Templates and crates made by tests are no part of the house.
        if file.path.contains("/templates/") || file.path.contains("/fixtures/") {
            continue;
        }
        let mut say = |what: String| findings.push(Finding::new(&file.path, 1, what));
        let manifest: toml::Table = match file.text.parse() {
            Ok(manifest) => manifest,
            Err(error) => {
                say(format!("is no TOML: {error}"));
                continue;
            }
        };
        let name = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
        let Some(row) = ROWS.iter().find(|row| Some(row.name) == name) else {
            say(format!("the crate {name:?} has no row in xtask/src/tidy/arrows.rs"));
            continue;
        };
        if manifest.get("lints").and_then(|l| l.get("workspace")) != Some(&true.into()) {
            say("lacks `[lints] workspace = true`".into());
        }
        for (section, tests) in [("dependencies", false), ("dev-dependencies", true)] {
            let Some(used) = manifest.get(section).and_then(|s| s.as_table()) else { continue };
            for (dependency, spec) in used {
                if let Some(what) = fault(row, &ours, dependency, spec, tests) {
                    say(what);
                }
            }
        }
    }
    findings
}

fn fault(row: &Row, ours: &[&str], used: &str, spec: &toml::Value, tests: bool) -> Option<String> {
    let is = |names: &[&str]| names.contains(&used);
    if !is(ours) {
        let refused = !tests && is(row.never);
        return refused.then(|| format!("{} must not use {used}", row.name));
    }
    // A crate's own tests may take it with more of its features.
    let tested = tests && (is(row.tests_may_use) || used == row.name);
    if !(is(row.may_use) || tested) {
        return Some(format!("{} -> {used} is no arrow of the house", row.name));
    }
    let optional = spec.get("optional") == Some(&true.into());
    let needs_feature = !tests && is(row.optional) && !optional;
    needs_feature.then(|| format!("{} -> {used} is allowed behind a feature only", row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let text = format!("{text}\n[lints]\nworkspace = true\n");
        check(&Tree::of_texts(&[(path, &text)])).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn arrows_point_down_only() {
        let log = "[package]\nname = \"tidings-log\"\n[dependencies]\n";
        assert_eq!(faults("crates/tidings-log/Cargo.toml", log), [""; 0]);
        let up = format!("{log}tidings-broker.workspace = true\ntokio = \"1\"");
        assert_eq!(
            faults("crates/tidings-log/Cargo.toml", &up),
            [
                "tidings-log -> tidings-broker is no arrow of the house",
                "tidings-log must not use tokio"
            ]
        );
        let shop = "[package]\nname = \"shop\"\n[dependencies]\ntidings-broker = \"1\"";
        assert_eq!(
            faults("examples/shop/Cargo.toml", shop),
            ["shop -> tidings-broker is no arrow of the house"]
        );
    }

    #[test]
    fn the_library_takes_the_broker_by_a_feature() {
        let head = "[package]\nname = \"tidings\"\n";
        let plain = format!("{head}[dependencies]\ntidings-broker.workspace = true");
        assert_eq!(
            faults("crates/tidings/Cargo.toml", &plain),
            ["tidings -> tidings-broker is allowed behind a feature only"]
        );
        let behind = format!("{head}[dependencies]\ntidings-broker = {{ optional = true }}");
        assert_eq!(faults("crates/tidings/Cargo.toml", &behind), [""; 0]);
        let tests = format!("{head}[dev-dependencies]\ntidings-broker.workspace = true");
        assert_eq!(faults("crates/tidings/Cargo.toml", &tests), [""; 0]);
    }

    #[test]
    fn a_stranger_is_refused() {
        let found = faults("crates/util/Cargo.toml", "[package]\nname = \"tidings-util\"");
        assert!(found[0].contains("has no row"), "{found:?}");
    }
}
