//! How we prove to brokers who we are.

use esoz_tls::SecretSource;

/// Whether librdkafka is built with TLS and SASL.
pub const HAS_TLS: bool = cfg!(feature = "tls");

/// How we prove who we are. `Debug` masks secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// By a name and a password.
    Password {
        /// How the password is proved.
        mechanism: PasswordMechanism,
        /// Our name at the brokers.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// By a token of an authorisation server (`OAUTHBEARER`), which is read again before it ends.
    Token(SecretSource),
}

/// How a password is proved to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMechanism {
    /// It is sent as it is.
    Plain,
    /// By a challenge (RFC 7677).
    ScramSha256,
    /// By a challenge, with the longer digest.
    ScramSha512,
}

impl PasswordMechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Sasl {
    /// The registered name of the mechanism of tokens.
    pub const OAUTHBEARER: &str = "OAUTHBEARER";
}
