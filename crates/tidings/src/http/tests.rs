//! The pages, asked over a real socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::service::health::Phase;

async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    (status, text.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_page_says_what_is_so() {
    let pages =
        Pages { registry: Registry::new("shop"), stats: Stats::new(), service: "shop".to_owned() };
    pages.registry.counter("tidings_retries_total", &[]).add(3);
    let health = pages.stats.clone();
    let health = health.health();
    health.set("group shop", Some("it has not joined yet".to_owned()));
    let server = serve("127.0.0.1:0".parse().expect("an address"), pages).await.expect("a port");
    let at = server.address;

    assert_eq!(ask(at, "/livez").await, (200, "ok\n".to_owned()));
    let (status, why) = ask(at, "/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("[-] group shop: it has not joined yet"), "{why}");
    assert_eq!(ask(at, "/startupz").await.0, 503);

    health.enter(Phase::Running);
    health.set("group shop", None);
    for path in ["/readyz", "/healthz", "/startupz"] {
        assert_eq!(ask(at, path).await, (200, "ok\n".to_owned()), "{path}");
    }
    assert!(ask(at, "/readyz?verbose").await.1.contains("[+] group shop"));
    assert!(ask(at, "/version").await.1.contains(env!("CARGO_PKG_VERSION")));
    assert!(ask(at, "/metrics").await.1.contains("tidings_retries_total{service=\"shop\"} 3"));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("its address");
    let pages =
        Pages { registry: Registry::new("shop"), stats: Stats::new(), service: "shop".to_owned() };
    let error = serve(address, pages).await.err().expect("it is taken").to_string();
    assert!(error.contains(&address.to_string()) && error.contains("TIDINGS_HTTP"), "{error}");
}
