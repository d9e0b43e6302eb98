//! The answer of the service about a container.

use esoz_https::json::Object;
use esoz_https::{Answer, RequestError};
use esoz_signed_content::{Container, Drfo, Signer};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Why the service refuses to judge: the bytes are no container.
pub const NOT_A_CONTAINER: &str = "not_a_container";
/// The verdict about a signature that the service says is not valid. It tells why in a text that may name persons, and which is not read.
pub const NOT_VALID: &str = "not_valid";

#[derive(Deserialize)]
struct Body {
    data: Object<Data>,
}

#[derive(Deserialize)]
struct Data {
    /// As it is written: every digit of it is signed.
    content: Option<Box<RawValue>>,
    signatures: Vec<Object<Signature>>,
}

#[derive(Deserialize)]
struct Signature {
    is_valid: bool,
    signer: Option<Object<Numbers>>,
}

#[derive(Deserialize)]
struct Numbers {
    drfo: Option<String>,
    edrpou: Option<String>,
}

/// A refusal, of which nothing is relied on but that it is JSON: something in front of the service would answer otherwise.
#[derive(Deserialize)]
struct Refusal {}

/// Interprets an answer. Only a signature of which the service says so, in the form that is known, is valid.
///
/// # Errors
/// [`RequestError`] when it says neither that the bytes are no container nor what they are.
pub(crate) fn interpret(answer: &Answer) -> Result<Result<Container, &'static str>, RequestError> {
    match answer.status() {
        StatusCode::OK => container(answer.body()).map(Ok),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            answer.read::<Refusal>().map(|Refusal {}| Err(NOT_A_CONTAINER))
        }
        status => Err(RequestError::status(status)),
    }
}

fn container(body: &[u8]) -> Result<Container, RequestError> {
    // Numbers of the content may be larger than any that is computed with: it must not be parsed here.
    let text = str::from_utf8(body).map_err(|_| RequestError::NotJson)?;
    let Object(Body { data: Object(data) }) = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            RequestError::InvalidAnswer("lacks what it must hold, or holds it in another form")
        } else {
            RequestError::NotJson
        }
    })?;
    let signers: Vec<Signer> =
        data.signatures.into_iter().map(|Object(signature)| signer(signature)).collect();
    let content = data.content.map(|content| content.get().as_bytes().to_vec());
    if content.is_none() && signers.iter().any(|signer| signer.verdict.is_ok()) {
        return Err(RequestError::InvalidAnswer("has a valid signature of no content"));
    }
    Ok(Container { content: content.unwrap_or_default(), signers })
}

fn signer(Signature { is_valid, signer }: Signature) -> Signer {
    let (drfo, edrpou) = signer.map(|Object(numbers)| (numbers.drfo, numbers.edrpou)).unwrap_or_default();
    Signer {
        verdict: if is_valid { Ok(()) } else { Err(NOT_VALID) },
        drfo: drfo.as_deref().and_then(Drfo::parse),
        edrpou: edrpou.filter(|edrpou| !edrpou.trim().is_empty()),
    }
}
