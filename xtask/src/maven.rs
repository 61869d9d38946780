//! Jars from Maven Central: what a `pom.xml` names and all that it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kafka::need;
use crate::{Outcome, place};

/// The directory of the jars that `pom` names, below `target/`, filled on first use.
///
/// Its name has the version in it, so that another version is fetched. `what` is for people.
pub(crate) fn jars(pom: &str, directory: &str, what: &str) -> Outcome<PathBuf> {
    let jars = place::target().join(directory);
    if jars.is_dir() {
        return Ok(jars);
    }
    need("mvn", "-version", "maven")?;
    fs::create_dir_all(jars.parent().unwrap_or(Path::new(".")))?;
    let partial = jars.with_file_name(format!("lib-partial-{}", std::process::id()));
    eprintln!("fetching {what} from Maven Central");
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(place::root().join(pom))
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .stdout(std::io::stderr())
        .status()?;
    if !fetched.success() {
        return Err(format!("Maven could not fetch {what}; its words stand above").into());
    }
    // A rename makes the install whole or absent, also when two chores run at once.
    if let Err(error) = fs::rename(&partial, &jars)
        && !jars.is_dir()
    {
        return Err(error.into());
    }
    Ok(jars)
}
