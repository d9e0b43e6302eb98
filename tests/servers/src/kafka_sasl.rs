//! A broker's side of SASL.

use std::io;
use std::num::NonZeroU32;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{digest, hmac, pbkdf2};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// The most that a request before the proof may have, in bytes.
const REQUEST_BYTES_MAX: usize = 1 << 16;

/// What a test's broker adds to a client's nonce, and salts passwords with.
const NONCE: &str = "nonce-of-the-broker";
const SALT: &[u8] = b"salt";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// What a client must prove.
pub(super) enum Secret {
    /// The whole of its first message (RFC 4616, RFC 7628).
    Said { mechanism: &'static str, message: Vec<u8> },
    /// That it knows the password (RFC 5802, RFC 7677).
    Scram { mechanism: &'static str, hash: Hash, password: String },
}

/// The algorithms of one digest.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Secret {
    pub(super) fn plain(user: &str, password: &str) -> Self {
        Self::Said { mechanism: "PLAIN", message: format!("\0{user}\0{password}").into_bytes() }
    }

    pub(super) fn bearer(token: &str) -> Self {
        let message = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
        Self::Said { mechanism: "OAUTHBEARER", message }
    }

    pub(super) fn scram_sha_256(password: &str) -> Self {
        let (digest, hmac, pbkdf2) = (&digest::SHA256, hmac::HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA256);
        let hash = Hash { digest, hmac, pbkdf2 };
        Self::Scram { mechanism: "SCRAM-SHA-256", hash, password: password.to_owned() }
    }

    pub(super) fn scram_sha_512(password: &str) -> Self {
        let (digest, hmac, pbkdf2) = (&digest::SHA512, hmac::HMAC_SHA512, pbkdf2::PBKDF2_HMAC_SHA512);
        let hash = Hash { digest, hmac, pbkdf2 };
        Self::Scram { mechanism: "SCRAM-SHA-512", hash, password: password.to_owned() }
    }

    fn mechanism(&self) -> &'static str {
        match self {
            Self::Said { mechanism, .. } | Self::Scram { mechanism, .. } => mechanism,
        }
    }
}

/// What a broker makes of a client's message.
enum Verdict {
    Goes { on_with: Vec<u8> },
    Proved { with: Vec<u8> },
    Refused,
}

/// A client that has not proved who it is.
pub(super) struct Stranger<'a> {
    secret: &'a Secret,
    /// What both have said so far that the proof is about (SCRAM).
    said: Option<String>,
}

impl<'a> Stranger<'a> {
    pub(super) const fn new(secret: &'a Secret) -> Self {
        Self { secret, said: None }
    }

    /// Answers a request; true when the client has proved who it is. Which requests there are, the broker tells.
    pub(super) async fn admit<C, B>(&mut self, client: &mut C, broker: &mut B) -> io::Result<bool>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        let request = read_frame(client).await?;
        let mut fields = Fields(&request);
        let (key, version, correlation) = (fields.int16()?, fields.int16()?, fields.bytes(4)?.to_vec());
        let _client_id = fields.string()?;
        let mut answer = correlation;
        let is_proved = match key {
            SASL_HANDSHAKE => {
                let mechanism = self.secret.mechanism();
                let is_known = fields.string()? == mechanism.as_bytes();
                answer.extend(if is_known { 0 } else { UNSUPPORTED_SASL_MECHANISM }.to_be_bytes());
                answer.extend(1_i32.to_be_bytes());
                answer.extend(i16::try_from(mechanism.len()).map_err(io::Error::other)?.to_be_bytes());
                answer.extend(mechanism.as_bytes());
                false
            }
            SASL_AUTHENTICATE => {
                let verdict = self.judge(fields.0.get(4..).unwrap_or_default());
                let (code, is_proved, message) = match verdict {
                    Verdict::Goes { on_with } => (0, false, on_with),
                    Verdict::Proved { with } => (0, true, with),
                    Verdict::Refused => (SASL_AUTHENTICATION_FAILED, false, Vec::new()),
                };
                answer.extend(code.to_be_bytes());
                // No error message.
                answer.extend((-1_i16).to_be_bytes());
                answer.extend(i32::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes());
                answer.extend(message);
                if version > 0 {
                    // The session has no end.
                    answer.extend(0_i64.to_be_bytes());
                }
                is_proved
            }
            API_VERSIONS => {
                write_frame(broker, &request).await?;
                answer = read_frame(broker).await?;
                false
            }
            _ => return Err(io::Error::other("a request before the proof")),
        };
        write_frame(client, &answer).await?;
        Ok(is_proved)
    }

    fn judge(&mut self, message: &[u8]) -> Verdict {
        match (self.secret, self.said.take()) {
            (Secret::Said { message: expected, .. }, _) if message == expected => {
                Verdict::Proved { with: Vec::new() }
            }
            (Secret::Said { .. }, _) => Verdict::Refused,
            (Secret::Scram { .. }, None) => self.challenge(message).unwrap_or(Verdict::Refused),
            (Secret::Scram { hash, password, .. }, Some(said)) => {
                proof(*hash, password, &said, message).unwrap_or(Verdict::Refused)
            }
        }
    }

    /// Answers a client's first message of SCRAM.
    fn challenge(&mut self, message: &[u8]) -> Option<Verdict> {
        let first = str::from_utf8(message).ok()?.strip_prefix("n,,")?;
        let nonce = first.split(',').find_map(|field| field.strip_prefix("r="))?;
        let answer = format!("r={nonce}{NONCE},s={},i={ITERATIONS}", BASE64_STANDARD.encode(SALT));
        self.said = Some(format!("{first},{answer}"));
        Some(Verdict::Goes { on_with: answer.into_bytes() })
    }
}

/// Answers a client's last message of SCRAM.
fn proof(hash: Hash, password: &str, said: &str, message: &[u8]) -> Option<Verdict> {
    let (without_proof, proof) = str::from_utf8(message).ok()?.rsplit_once(",p=")?;
    let proof = BASE64_STANDARD.decode(proof).ok()?;
    let mut salted = vec![0; hash.digest.output_len()];
    pbkdf2::derive(hash.pbkdf2, ITERATIONS, SALT, password.as_bytes(), &mut salted);
    let salted = hmac::Key::new(hash.hmac, &salted);
    let client_key = hmac::sign(&salted, b"Client Key");
    let server_key = hmac::sign(&salted, b"Server Key");
    let about = format!("{said},{without_proof}");
    let stored = hmac::Key::new(hash.hmac, digest::digest(hash.digest, client_key.as_ref()).as_ref());
    let signature = hmac::sign(&stored, about.as_bytes());
    let expected = client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, signed)| key ^ signed);
    if !expected.eq(proof) {
        return Some(Verdict::Refused);
    }
    let ours = hmac::sign(&hmac::Key::new(hash.hmac, server_key.as_ref()), about.as_bytes());
    Some(Verdict::Proved { with: format!("v={}", BASE64_STANDARD.encode(ours)).into_bytes() })
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
    if length > REQUEST_BYTES_MAX {
        return Err(io::Error::other("too long for a request before the proof"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    stream.write_i32(i32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    stream.write_all(frame).await?;
    stream.flush().await
}

/// The fields of a request, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or_else(|| io::Error::other("a request that ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn int16(&mut self) -> io::Result<i16> {
        let bytes = self.bytes(2)?.try_into().map_err(io::Error::other)?;
        Ok(i16::from_be_bytes(bytes))
    }

    /// A text; empty where there is none.
    fn string(&mut self) -> io::Result<&'a [u8]> {
        let length = self.int16()?;
        self.bytes(usize::try_from(length).unwrap_or_default())
    }
}
