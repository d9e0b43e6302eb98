use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use esoz_kernel::{DispenseId, StoreError, Uuid, parse_uuid};
use jiff::civil::Date;

/// The key of a container in the media storage: the day on which it was stored, the record it is of, and a random UUID, which keeps it from
/// being guessed. It opens nothing without the storage's own credentials.
///
/// The day leads, so that what was left behind is found by day; the record follows, so that it can be asked whether it has the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaKey {
    day: Date,
    dispense: DispenseId,
    random: Uuid,
}

/// The text is no key of the media storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no key of the media storage")]
pub struct InvalidMediaKey;

impl MediaKey {
    /// Creates the key for a container of a dispense; `random` is fresh.
    pub const fn new(day: Date, dispense: DispenseId, random: Uuid) -> Self {
        Self { day, dispense, random }
    }

    /// The day on which it was stored.
    pub const fn day(&self) -> Date {
        self.day
    }

    /// The dispense that it belongs to.
    pub const fn dispense(&self) -> DispenseId {
        self.dispense
    }
}

impl fmt::Display for MediaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, dispense, random } = self;
        write!(formatter, "{day}/{dispense}/{random}")
    }
}

impl FromStr for MediaKey {
    type Err = InvalidMediaKey;

    /// Parses what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, InvalidMediaKey> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(InvalidMediaKey);
        let (day, dispense, random) = (part()?, part()?, part()?);
        let key = Self {
            day: day.parse().map_err(|_| InvalidMediaKey)?,
            dispense: dispense.parse().map_err(|_| InvalidMediaKey)?,
            random: parse_uuid(random).map_err(|_| InvalidMediaKey)?,
        };
        (key.to_string() == text).then_some(key).ok_or(InvalidMediaKey)
    }
}

/// Keeps signed containers.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait MediaStorage: Send + Sync {
    /// Stores a container, byte for byte. When it returns, the container is durable. Under a key that is taken nothing is overwritten: that is an
    /// error of kind unexpected.
    ///
    /// # Errors
    /// [`StoreError`]; whether the container was stored may then be unknown.
    async fn put(&self, key: &MediaKey, container: &[u8]) -> Result<(), StoreError>;

    /// Reads a container; `Ok(None)` when there is none under that key.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn get(&self, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a container. One that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn delete(&self, key: &MediaKey) -> Result<(), StoreError>;

    /// Lists at most `limit` keys of a day in ascending order, those behind `after` alone. Fewer than `limit` are the last ones. What is stored under
    /// other names is passed over.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn list(
        &self,
        day: Date,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError>;

    /// Checks whether it could store a container now, cheaply enough for a check every few seconds. One that needs nothing outside of the program always
    /// can.
    ///
    /// # Errors
    /// [`StoreError`] that names the storage, the cause and the remedy.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MediaKey {
        MediaKey::new(
            jiff::civil::date(2026, 1, 31),
            DispenseId::new(Uuid::from_u128(0xA)),
            Uuid::from_u128(0xB),
        )
    }

    #[test]
    fn a_key_is_read_back() {
        let text = "2026-01-31/00000000-0000-0000-0000-00000000000a/00000000-0000-0000-0000-00000000000b";
        assert_eq!(key().to_string(), text);
        assert_eq!(text.parse(), Ok(key()));
    }

    #[test]
    fn other_texts_are_no_keys() {
        let key = key().to_string();
        for text in [
            "",
            "2026-01-31",
            "../../etc/passwd",
            &key.to_uppercase(),
            &format!("{key}/"),
            &key[1..],
            &format!("{key}/x"),
        ] {
            assert_eq!(text.parse::<MediaKey>(), Err(InvalidMediaKey), "{text}");
        }
    }
}
