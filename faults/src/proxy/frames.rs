//! Kafka's frames: four bytes of length, then a header of which the proxy reads the API key of a
//! request.

use std::io::{self, Read};

/// A broker takes none larger; whoever sends one gets no proxy.
const MAX_BYTES: usize = 256 << 20;

/// The next whole frame with its length; `None` at the end of the stream.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let bytes = u32::from_be_bytes(length) as usize;
    if bytes > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame of Kafka's is so long"));
    }
    let mut frame = vec![0; 4 + bytes];
    frame[..4].copy_from_slice(&length);
    stream.read_exact(&mut frame[4..])?;
    Ok(Some(frame))
}

/// The API key of a request's frame.
pub(super) fn api_key(frame: &[u8]) -> i16 {
    match frame.get(4..6) {
        Some(&[high, low]) => i16::from_be_bytes([high, low]),
        _ => -1,
    }
}
