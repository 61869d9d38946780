//! Certificates for a test of minutes, made by `openssl`: an authority, what it has signed, and
//! what is wrong in one way each.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::kafka::need;

/// The password of `alice.encrypted.key`.
const KEY_PASSWORD: &str = "alice-key-secret";

/// Where the server is reached, and where it is not.
const HERE: &str = "DNS:localhost,IP:127.0.0.1";
const ELSEWHERE: &str = "DNS:kafka.elsewhere.example";

/// Fills the directory.
pub(super) fn make(directory: &Path) -> Outcome {
    need("openssl", "version", "openssl")?;
    fs::create_dir_all(directory)?;
    let openssl = |words: &str| run(directory, words);
    for ca in ["ca", "stranger-ca"] {
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
             -keyout {ca}.key -out {ca}.pem -subj /CN={ca}"
        ))?;
    }
    let signed = [
        ("server", "ca", "30", Some(HERE)),
        // It ended yesterday.
        ("expired", "ca", "-1", Some(HERE)),
        ("elsewhere", "ca", "30", Some(ELSEWHERE)),
        ("alice", "ca", "30", None),
        // Of an authority that the server does not know.
        ("mallory", "stranger-ca", "30", None),
    ];
    for (name, ca, days, names) in signed {
        openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key \
             -out {name}.csr -subj /CN={name}"
        ))?;
        let extensions = match names {
            Some(names) => format!("subjectAltName={names}\n"),
            None => "extendedKeyUsage=clientAuth\n".to_owned(),
        };
        fs::write(directory.join("extensions"), extensions)?;
        openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} \
             -extfile extensions -out {name}.pem"
        ))?;
        // What Kafka reads as one PEM file.
        let mut both = fs::read(directory.join(format!("{name}.key")))?;
        both.extend(fs::read(directory.join(format!("{name}.pem")))?);
        fs::write(directory.join(format!("{name}.keystore.pem")), both)?;
    }
    openssl(&format!(
        "pkcs8 -topk8 -in alice.key -out alice.encrypted.key -v2 aes256 \
         -passout pass:{KEY_PASSWORD}"
    ))
}

fn run(directory: &Path, words: &str) -> Outcome {
    let mut command = Command::new("openssl");
    let output = command.current_dir(directory).args(words.split_whitespace()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("openssl {words}: {said}").into())
}
