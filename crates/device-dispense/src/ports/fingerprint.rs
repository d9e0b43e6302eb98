use async_trait::async_trait;
use esoz_kernel::StoreError;

/// A keyed digest of a fixed label: tells whether two pseudonym schemes are the same and have the same key, and nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PseudonymFingerprint([u8; 32]);

impl PseudonymFingerprint {
    /// Takes the bytes of the digest.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest, as stored.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

esoz_kernel::opaque_debug!(PseudonymFingerprint);

/// Remembers with which scheme and key the pseudonyms of a store are made. With another key no patient would be found, and nothing would say why.
#[async_trait]
pub trait PseudonymFingerprints: Send + Sync {
    /// Returns the recorded fingerprint; `None` when nothing was recorded yet.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails, or what is stored is no fingerprint.
    async fn recorded(&self) -> Result<Option<PseudonymFingerprint>, StoreError>;

    /// Records a fingerprint if none is recorded. Returns the one that is recorded then: of concurrent calls one records its own, and all
    /// return that.
    ///
    /// # Errors
    /// As [`PseudonymFingerprints::recorded`].
    async fn record_first(
        &self,
        fingerprint: PseudonymFingerprint,
    ) -> Result<PseudonymFingerprint, StoreError>;

    /// Records a fingerprint in the place of any other.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    async fn replace(&self, fingerprint: PseudonymFingerprint) -> Result<(), StoreError>;
}
