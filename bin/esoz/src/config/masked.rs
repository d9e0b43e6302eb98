//! How values with secrets are read, and masked where they are shown.

/// Reads a secret, and masks it where it is shown.
pub(super) mod secret {
    use esoz_kernel::SecretString;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::config) fn serialize<S: Serializer>(
        secret: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.masked())
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::new)
    }
}

/// Reads a URL, and masks the secrets in it where it is shown.
pub(super) mod secret_url {
    use esoz_kernel::SecretString;
    use serde::Serializer;

    pub(in crate::config) use super::secret::deserialize;
    use crate::config::masked_url::masked_url;

    pub(in crate::config) fn serialize<S: Serializer>(
        url: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&masked_url(url))
    }
}

/// Reads settings of a library, and masks those that hold secrets where they are shown. Numbers and truth values are read as their texts.
pub(super) mod properties {
    use std::collections::BTreeMap;

    use esoz_kernel::SecretString;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use toml::Value;

    /// What a name holds if its value is a secret, or may hold one.
    const SECRET: [&str; 6] = ["pass", "secret", "pem", "oauthbearer.", "kinit", "jaas"];

    pub(in crate::config) fn serialize<S: Serializer>(
        properties: &BTreeMap<String, SecretString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(properties.iter().map(|(name, value)| {
            let is_secret = SECRET.iter().any(|part| name.contains(part));
            (name, if is_secret { value.masked() } else { value.expose() })
        }))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, SecretString>, D::Error> {
        let table: BTreeMap<String, Value> = BTreeMap::deserialize(deserializer)?;
        let text = |value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(table.into_iter().map(|(name, value)| (name, SecretString::new(text(value)))).collect())
    }
}
