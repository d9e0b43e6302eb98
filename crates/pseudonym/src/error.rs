/// A configured key that a scheme cannot work with. Says how long it is and must be, never what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret of `hmac-sha256` is too easy to guess.
    #[error("the secret of hmac-sha256 has {bytes} bytes; give it at least {min_bytes} random ones")]
    SecretTooShort {
        /// How many bytes it has.
        bytes: usize,
        /// How many it needs.
        min_bytes: usize,
    },
    /// The key of `aes-128-cbc` has the wrong length.
    #[error("the key of aes-128-cbc has {bytes} bytes; it must have exactly 16")]
    KeyLength {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The initialisation vector of `aes-128-cbc` has the wrong length.
    #[error("the iv of aes-128-cbc has {bytes} bytes; it must have exactly 16")]
    IvLength {
        /// How many bytes it has.
        bytes: usize,
    },
}
