//! The proxy before a server that answers every frame with itself.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// Answers each frame with the same frame and tells of it; of a partial one, too.
fn echo() -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.expect("a connection"), tell.clone());
            thread::spawn(move || {
                while let Ok(Some(frame)) = frames::read(&mut stream) {
                    let _unread = (tell.send(frame.clone()), stream.write_all(&frame));
                }
            });
        }
    });
    (addr, told)
}

fn frame(api_key: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len() + 2).expect("short").to_be_bytes().to_vec();
    frame.extend(api_key.to_be_bytes());
    frame.extend(body);
    frame
}

/// A client of a proxy that does `rule`, and what the server behind it was asked.
fn client(rule: &str) -> (Proxy, TcpStream, Receiver<Vec<u8>>) {
    let (upstream, told) = echo();
    let rules = Rules { rules: vec![rule.parse().expect("a rule")], delay_ms: 5 };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = Proxy::start(any, upstream, rules, 1).expect("it starts");
    let client = TcpStream::connect(proxy.addr()).expect("it listens");
    client.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    (proxy, client, told)
}

/// Sends a Produce and reads until the connection ends.
fn all_of_the_answer(client: &mut TcpStream) -> Vec<u8> {
    client.write_all(&frame(0, b"records")).expect("sent");
    let mut answer = Vec::new();
    let _reset = client.read_to_end(&mut answer);
    answer
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn frames_without_a_fault_pass_unchanged() {
    let (proxy, mut client, _told) = client("produce:drop=1");
    let asked = frame(3, b"metadata");
    client.write_all(&asked).expect("sent");
    assert_eq!(frames::read(&mut client).expect("answered"), Some(asked));
    assert_eq!(proxy.counts().total(), 0);
}

#[test]
fn a_dropped_answer_is_one_that_the_broker_gave() {
    let (proxy, mut client, told) = client("produce:drop=1");
    assert_eq!(all_of_the_answer(&mut client), b"");
    assert_eq!(told.recv_timeout(SOON).expect("asked"), frame(0, b"records"));
    assert_eq!(proxy.counts().of(Fault::Drop), 1);
}

#[test]
fn a_cut_answer_is_half_of_it() {
    let (_proxy, mut client, _told) = client("produce:cut=1");
    let whole = frame(0, b"records");
    assert_eq!(all_of_the_answer(&mut client), whole[..whole.len() / 2]);
}

#[test]
fn a_cut_request_never_reaches_the_broker_whole() {
    let (proxy, mut client, told) = client("produce:cut-request=1");
    assert_eq!(all_of_the_answer(&mut client), b"");
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!(proxy.counts().of(Fault::CutRequest), 1);
}

#[test]
fn a_late_request_arrives_after_its_client_was_cut_off() {
    let (_proxy, mut client, told) = client("produce:late=1");
    assert_eq!(all_of_the_answer(&mut client), b"");
    assert_eq!(told.recv_timeout(SOON).expect("asked"), frame(0, b"records"));
}

#[test]
fn delays_lose_nothing_and_a_calm_proxy_does_nothing() {
    let (proxy, mut client, _told) = client("*:delay=1");
    let asked = frame(1, b"fetch");
    client.write_all(&asked).expect("sent");
    assert_eq!(frames::read(&mut client).expect("answered").as_ref(), Some(&asked));
    assert_eq!(proxy.counts().of(Fault::Delay), 1);
    proxy.calm();
    client.write_all(&asked).expect("sent");
    assert_eq!(frames::read(&mut client).expect("answered").as_ref(), Some(&asked));
    assert_eq!(proxy.counts().total(), 1);
}
