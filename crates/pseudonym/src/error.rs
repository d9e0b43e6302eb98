/// A configured key that a scheme cannot use. States lengths, never the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret of `hmac-sha256` is too short.
    #[error("the secret of hmac-sha256 has {bytes} bytes; give it at least {min_bytes} random ones")]
    SecretTooShort {
        /// Its length in bytes.
        bytes: usize,
        /// The minimum length in bytes.
        min_bytes: usize,
    },
    /// The key of `aes-128-cbc` has the wrong length.
    #[error("the key of aes-128-cbc has {bytes} bytes; it must have exactly 16")]
    KeyLength {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The initialisation vector of `aes-128-cbc` has the wrong length.
    #[error("the iv of aes-128-cbc has {bytes} bytes; it must have exactly 16")]
    IvLength {
        /// Its length in bytes.
        bytes: usize,
    },
}
