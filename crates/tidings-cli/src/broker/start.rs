//! Starting the embedded broker for a command, with errors that name the command's own flags.

use std::net::{SocketAddr, ToSocketAddrs};

use tidings_broker::{Broker, Config, StartError};

use crate::failure::{Exit, Failure, causes};

/// Where a broker listens, and where commands look for one, unless told otherwise.
pub const USUAL: &str = "127.0.0.1:9092";

/// Starts a broker; `command` is what the help tells to type.
pub async fn start(config: Config, command: &str) -> Result<Broker, Failure> {
    let data = config.data.as_ref().map(|path| path.display().to_string());
    Broker::start(config).await.map_err(|error| explain(&error, command, data.as_deref()))
}

/// Parses `HOST:PORT` to listen on.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| format!("`{text}` is no address to listen on, such as 127.0.0.1:9092"))
}

/// Parses `HOST:PORT` as clients are told it; the name need not mean anything on this machine.
pub fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("`{text}` is not HOST:PORT, such as kafka.example.org:9092");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port.parse() {
        Ok(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(wrong()),
    }
}

fn explain(error: &StartError, command: &str, data: Option<&str>) -> Failure {
    match error {
        StartError::AddressInUse { addr, by } => {
            let failure = Failure::new(format!("{addr} is in use"));
            let failure = match by {
                Some(process) => failure.because(format!("by {process}")),
                None => failure.because("by another process, perhaps another user's"),
            };
            let next = SocketAddr::new(addr.ip(), addr.port().saturating_add(100));
            failure.help(format!(
                "stop it, or choose another port:  {command} --listen {next}   \
                 (port 0 picks a free one)"
            ))
        }
        StartError::OpenListener { addr } => {
            Failure::new(format!("{addr} can be reached from other machines"))
                .because("this broker has no access control: whoever reaches it can read, write")
                .because("and delete everything")
                .help("listen on 127.0.0.1, or accept that:  --danger-open-listener")
                .exit(Exit::NotAllowed)
        }
        StartError::DataDir(error) => {
            let directory = data.unwrap_or("the data directory");
            Failure::new(format!("cannot use {directory}")).because(causes(error))
        }
        other => Failure::new(causes(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        assert_eq!(address("127.0.0.1:0"), Ok(SocketAddr::from(([127, 0, 0, 1], 0))));
        assert!(address("localhost:9092").is_ok());
        assert!(address("9092").is_err());
        assert_eq!(host_and_port("kafka.example.org:9092"), Ok(("kafka.example.org".into(), 9092)));
        assert_eq!(host_and_port("[::1]:9092"), Ok(("::1".into(), 9092)));
        assert!(host_and_port("kafka").is_err() && host_and_port(":9092").is_err());
    }

    #[test]
    fn a_port_in_use_is_said_with_its_holder_and_a_way_out() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 9092));
        let by = Some("tidings (pid 4711)".to_owned());
        let failure = explain(&StartError::AddressInUse { addr, by }, "tidings dev", None);
        insta::assert_snapshot!(failure);
    }

    #[test]
    fn an_open_listener_is_refused_until_it_is_accepted() {
        let addr = SocketAddr::from(([0, 0, 0, 0], 9092));
        let failure = explain(&StartError::OpenListener { addr }, "tidings broker", None);
        assert_eq!(failure.code(), Exit::NotAllowed);
        insta::assert_snapshot!(failure);
    }
}
