//! The few commands that a starter sends to a mongod, over the wire protocol (`OP_MSG`) without a driver.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bson::{Document, doc};

const OP_MSG: i32 = 2013;
const HEADER_BYTES: usize = 16;
/// Flag bits (4) and the kind of the one section (1), before the document.
const PREFIX_BYTES: usize = 5;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Runs one command against the `admin` database. An answer with `ok: 0` is an answer.
pub(super) fn run_command(address: SocketAddr, mut command: Document) -> Result<Document, String> {
    command.extend(doc! { "$db": "admin" });
    exchange(address, &command).map_err(|error| format!("{address} does not answer: {error}"))
}

fn exchange(address: SocketAddr, command: &Document) -> std::io::Result<Document> {
    let body = command.to_vec().map_err(std::io::Error::other)?;
    let length = HEADER_BYTES.saturating_add(PREFIX_BYTES).saturating_add(body.len());
    let mut message = Vec::with_capacity(length);
    for number in [i32::try_from(length).map_err(std::io::Error::other)?, 1, 0, OP_MSG] {
        message.extend(number.to_le_bytes());
    }
    message.extend([0; PREFIX_BYTES]);
    message.extend(body);

    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&message)?;
    let mut start = [0; HEADER_BYTES + PREFIX_BYTES];
    stream.read_exact(&mut start)?;
    // The document brings its own length.
    Document::from_reader(&mut stream).map_err(std::io::Error::other)
}
