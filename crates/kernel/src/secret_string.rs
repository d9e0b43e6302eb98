use std::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

/// A secret text, e.g. a key, or a URL that holds a password. `Debug` masks it; dropping it wipes it from memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the plain text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is shown in its place: an ellipsis, or nothing if it is empty.
    pub fn masked(&self) -> &'static str {
        if self.is_empty() { "" } else { "…" }
    }
}

impl ZeroizeOnDrop for SecretString {}

impl fmt::Debug for SecretString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.masked(), formatter)
    }
}

/// Implements a `Debug` that shows the name of a type and no value, since it is secret or personal: `Secret(…)`.
#[macro_export]
macro_rules! opaque_debug {
    ($name:ident) => {
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(::std::concat!(::std::stringify!($name), "(…)"))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only while it wipes itself.
    #[test]
    fn a_secret_is_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let secret = SecretString::new("canary");
        wiped(&secret);
        wiped(&secret.0);
    }

    #[test]
    fn debug_shows_only_whether_there_is_a_secret() {
        assert_eq!(format!("{:?} {:?}", SecretString::new("canary"), SecretString::default()), "\"…\" \"\"");
    }
}
