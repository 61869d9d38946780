//! A Kafka client on a bare socket: sends what it is told, even nonsense.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// One connection.
pub struct Wire {
    pub stream: TcpStream,
    next_id: i32,
}

impl Wire {
    pub fn connect(addr: SocketAddr) -> Wire {
        let stream = TcpStream::connect(addr).expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        Wire { stream, next_id: 1 }
    }

    /// Sends a request and reads its response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let id = self.send(version, request);
        self.receive::<R>(version, id)
    }

    /// Sends a request and returns its correlation id.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let id = self.next_id;
        self.next_id += 1;
        self.stream.write_all(&frame(id, version, request)).expect("send");
        id
    }

    /// Reads the response to a request.
    pub fn receive<R: Request>(&mut self, version: i16, id: i32) -> R::Response {
        let mut body = self.receive_bytes().expect("a response");
        assert_eq!(body.get_i32(), id, "responses come in order");
        if R::Response::header_version(version) >= 1 {
            assert_eq!(body.get_u8(), 0, "no tagged fields in the header");
        }
        let response = R::Response::decode(&mut body, version).expect("a well-formed response");
        assert!(body.is_empty(), "{} bytes too many", body.len());
        response
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one frame without its length.
    pub fn receive_bytes(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body)?;
        Ok(body.into())
    }

    /// Whether the other side has closed the connection (waits for it, or for a time-out).
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0; 1];
        match self.stream.read(&mut byte) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// A whole frame of a request.
pub fn frame<R: Request>(id: i32, version: i16, request: &R) -> BytesMut {
    let mut out = BytesMut::zeroed(4);
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(id)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    header.encode(&mut out, R::header_version(version)).expect("header");
    request.encode(&mut out, version).expect("request");
    let length = out.len() as u32 - 4;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}
