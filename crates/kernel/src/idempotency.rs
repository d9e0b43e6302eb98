//! Safe retries: the same request under the same key takes effect once (docs/adr/0012).

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use crate::{ClientId, Timestamp, failure};

/// The time for which idempotency records are kept.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// An idempotency key: marks a request and its retries. 1 to 255 visible ASCII characters. Hidden from `Debug`, since clients may put
/// anything into it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Parses a key; `None` when it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// Creates a key from a fresh UUID.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::opaque_debug!(IdempotencyKey);

/// The idempotency record of a request: kept with its change, so that a retry is recognized. Two SHA-256 digests without a salt: they reveal
/// neither the key nor the request, but guesses can be tried against them. Hidden from `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdempotentRequest {
    key: [u8; 32],
    request: [u8; 32],
}

impl IdempotentRequest {
    /// Creates the record of a client's key for an operation. `asked` holds every part in which another request could differ.
    ///
    /// Keys of different clients or operations are different keys, whatever their texts.
    pub fn new(operation: &'static str, client: ClientId, key: &IdempotencyKey, asked: &[&[u8]]) -> Self {
        let client = client.uuid();
        let key = [operation.as_bytes(), client.as_bytes(), key.0.as_bytes()];
        Self { key: digest(&key), request: digest(asked) }
    }

    /// Returns the digest of the key, as it is stored and looked up.
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Returns the digest of the request, as it is stored and compared.
    pub const fn request(&self) -> &[u8; 32] {
        &self.request
    }

    /// Decides what this request is answered when a change was made under its key at `since`, for the request with that digest; `None` when
    /// that record has expired.
    pub fn replay<T>(
        &self,
        request: &[u8],
        since: Timestamp,
        now: Timestamp,
        first_answer: impl FnOnce() -> T,
    ) -> Option<Replay<T>> {
        let is_the_same = self.request == request;
        (since > expired_until(now))
            .then(|| if is_the_same { Replay::Replayed(first_answer()) } else { Replay::KeyReused })
    }
}

crate::opaque_debug!(IdempotentRequest);

/// Hashes every part with its length before it, so that no two lists of parts are the same bytes.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Returns the time until which idempotency records have expired.
pub fn expired_until(now: Timestamp) -> Timestamp {
    now.saturating_sub(RETENTION)
}

/// The outcome of a write that a store decides under its locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<T, R> {
    /// It took effect; the record after it.
    Applied(T),
    /// A rule refused it. Nothing was written.
    Refused(R),
    /// The same request took effect before, under the same key; its first answer. Nothing was written.
    Replayed(T),
    /// The key was used for another request. Nothing was written.
    KeyReused,
}

impl<T, R> Written<T, R> {
    /// Returns the record after the write, whether it took effect now or before; else the error of the operation.
    ///
    /// # Errors
    /// What `refused` and `idempotency` make of the refusal.
    pub fn into_result<E>(
        self,
        refused: impl FnOnce(R) -> E,
        idempotency: impl FnOnce(IdempotencyError) -> E,
    ) -> Result<T, E> {
        match self {
            Self::Applied(record) | Self::Replayed(record) => Ok(record),
            Self::Refused(refusal) => Err(refused(refusal)),
            Self::KeyReused => Err(idempotency(IdempotencyError::KeyReused)),
        }
    }
}

impl<T, R> From<Replay<T>> for Written<T, R> {
    fn from(replay: Replay<T>) -> Self {
        match replay {
            Replay::Replayed(first_answer) => Self::Replayed(first_answer),
            Replay::KeyReused => Self::KeyReused,
        }
    }
}

/// What a store found under the key of a request. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay<T> {
    /// The same request was carried out; its first answer.
    Replayed(T),
    /// The key was used for another request.
    KeyReused,
}

impl<T> From<Replay<T>> for Committed<T> {
    fn from(replay: Replay<T>) -> Self {
        match replay {
            Replay::Replayed(answer) => Self::Replayed(answer),
            Replay::KeyReused => Self::KeyReused,
        }
    }
}

/// What became of a change that a store was asked to commit with its conditions (compare and set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed<T> {
    /// It took effect; the record after it.
    Applied(T),
    /// The record is not there, or not as the change requires. Nothing was written.
    Stale,
    /// The same request took effect before, under the same idempotency key; its first answer. Nothing was written.
    Replayed(T),
    /// The idempotency key was used for another request. Nothing was written.
    KeyReused,
}

failure! {
    /// Why a request under an idempotency key is refused, whatever it asks for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum IdempotencyError {
        /// The key was used for another request, which took effect.
        KeyReused => Conflict, "key_reused", "The idempotency key was used for another request";
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::parse(text).unwrap()
    }

    fn client(id: u128) -> ClientId {
        ClientId::new(Uuid::from_u128(id))
    }

    #[test]
    fn only_1_to_255_visible_ascii_characters_make_a_key() {
        for good in ["a", "~", "8b2f-4c1e", &"x".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\u{7}", "ключ", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn keys_of_other_clients_and_operations_are_other_keys() {
        let one = IdempotentRequest::new("stop", client(1), &key("k"), &[b"a"]);
        for other in [
            IdempotentRequest::new("stop", client(2), &key("k"), &[b"a"]),
            IdempotentRequest::new("update", client(1), &key("k"), &[b"a"]),
            IdempotentRequest::new("stop", client(1), &key("K"), &[b"a"]),
        ] {
            assert_ne!(one.key(), other.key());
            assert_eq!(one.request(), other.request());
        }
        assert_eq!(one, IdempotentRequest::new("stop", client(1), &key("k"), &[b"a"]));
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_is_part_of_the_request() {
        let asked = |asked: &[&[u8]]| *IdempotentRequest::new("stop", client(1), &key("k"), asked).request();
        assert_ne!(asked(&[b"ab", b"c"]), asked(&[b"a", b"bc"]));
        assert_ne!(asked(&[b"abc"]), asked(&[b"abc", b""]));
    }

    #[test]
    fn a_record_counts_for_24_hours() {
        let idempotency = IdempotentRequest::new("stop", client(1), &key("k"), &[b"a"]);
        let since: Timestamp = "2026-01-31T08:15:30.123Z".parse().unwrap();
        let at =
            |text: &str| idempotency.replay(idempotency.request(), since, text.parse().unwrap(), || "first");
        assert_eq!(at("2026-01-31T08:15:30.123Z"), Some(Replay::Replayed("first")));
        assert_eq!(at("2026-02-01T08:15:30.122999999Z"), Some(Replay::Replayed("first")));
        assert_eq!(at("2026-02-01T08:15:30.123Z"), None);
        assert_eq!(idempotency.replay(&[0; 32], since, since, || "first"), Some(Replay::KeyReused));
        assert_eq!(expired_until(Timestamp::MIN), Timestamp::MIN);
    }

    #[test]
    fn nothing_of_it_shows_in_debug() {
        let key = key("canary");
        let idempotency = IdempotentRequest::new("stop", client(1), &key, &[b"canary"]);
        assert_eq!(format!("{key:?} {idempotency:?}"), "IdempotencyKey(…) IdempotentRequest(…)");
    }
}
