//! The two requests that a starter sends to a Kafka-protocol broker, without a client library.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const CREATE_TOPICS: i16 = 19;
/// The oldest version that Kafka 4 still takes, and the last with the simple encoding (before tagged fields).
const CREATE_TOPICS_VERSION: i16 = 2;
const API_VERSIONS: i16 = 18;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// An answer to these requests is far smaller; more means that it is no Kafka broker.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks which requests it understands: an answer means that it serves.
pub(super) fn ping(broker: &str) -> Result<(), String> {
    let answer = exchange(broker, API_VERSIONS, 0, &[]).map_err(|error| format!("{broker}: {error}"))?;
    match answer.get(..2) {
        Some([0, 0]) => Ok(()),
        _ => Err(format!("{broker} answered no list of requests")),
    }
}

/// Makes a topic with one replica.
pub(super) fn create_topic(broker: &str, topic: &str, partitions: u16) -> Result<(), String> {
    let mut body = Vec::new();
    body.extend(1_i32.to_be_bytes());
    body.extend(string(topic)?);
    body.extend(i32::from(partitions).to_be_bytes());
    body.extend(1_i16.to_be_bytes()); // replicas
    body.extend(0_i32.to_be_bytes()); // assignments
    body.extend(0_i32.to_be_bytes()); // settings
    body.extend(10_000_i32.to_be_bytes()); // time limit, ms
    body.push(0); // do it, do not only check
    let answer = exchange(broker, CREATE_TOPICS, CREATE_TOPICS_VERSION, &body)
        .map_err(|error| format!("{broker}: {error}"))?;
    // Throttle time (4), number of topics (4), the name (2 and its bytes), then the code.
    let at = topic.len().saturating_add(10);
    let code = answer.get(at..at.saturating_add(2)).and_then(|bytes| bytes.try_into().ok());
    match code.map(i16::from_be_bytes) {
        Some(0) => Ok(()),
        Some(36) => Err(format!("topic {topic} exists already on {broker}")),
        Some(code) => Err(format!("{broker} refuses to make topic {topic}: Kafka error code {code}")),
        None => Err(format!("{broker} gave an answer too short")),
    }
}

fn string(text: &str) -> Result<Vec<u8>, String> {
    let length = i16::try_from(text.len()).map_err(|_| format!("too long for Kafka: {text}"))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    Ok(bytes)
}

/// Sends one request and gives the answer after its correlation id.
fn exchange(broker: &str, key: i16, version: i16, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes()); // correlation id
    request.extend((-1_i16).to_be_bytes()); // no client id
    request.extend(body);

    let mut stream = TcpStream::connect(broker)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&i32::try_from(request.len()).map_err(std::io::Error::other)?.to_be_bytes())?;
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(std::io::Error::other)?;
    if !(4..=ANSWER_BYTES_MAX).contains(&length) {
        return Err(std::io::Error::other(format!("an answer of {length} bytes is not Kafka's")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer.split_off(4))
}
