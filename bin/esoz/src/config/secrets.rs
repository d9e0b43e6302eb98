//! Secrets: each is given in the configuration or in a file of its own.

use anyhow::{Context as _, Result, bail};
use esoz_kernel::SecretString;
use zeroize::Zeroizing;

use super::Config;

/// The scheme of patient pseudonyms, with its secrets.
pub(crate) enum Pseudonym {
    HmacSha256 { key: SecretString },
    Aes128Cbc { key: SecretString, iv: SecretString },
}

impl Config {
    /// The secret that authenticates us to the introspection endpoint.
    pub(crate) fn client_secret(&self) -> Result<SecretString> {
        let auth = &self.sections.auth;
        let why = "`auth.tokens` is `introspection`";
        self.secret("auth.client_secret", &auth.client_secret, &auth.client_secret_file, why)
    }

    /// The scheme of patient pseudonyms. Not validated at load, because not every command needs it.
    pub(crate) fn pseudonym(&self) -> Result<Pseudonym> {
        let patient = &self.sections.patient;
        let why = "patient pseudonyms need it";
        let key = self.secret("patient.key", &patient.key, &patient.key_file, why)?;
        match patient.pseudonym.as_str() {
            "hmac-sha256" => Ok(Pseudonym::HmacSha256 { key }),
            "aes-128-cbc" => {
                let why = "`patient.pseudonym` is `aes-128-cbc`";
                let iv = self.secret("patient.iv", &patient.iv, &patient.iv_file, why)?;
                Ok(Pseudonym::Aes128Cbc { key, iv })
            }
            _ => Err(self.refuse("patient.pseudonym", "must be `hmac-sha256` or `aes-128-cbc`")),
        }
    }

    /// The secret of a key, or of the file that `<key>_file` names, without the line break at its end.
    fn secret(&self, key: &str, inline: &SecretString, file: &str, why: &str) -> Result<SecretString> {
        let file_key = format!("{key}_file");
        match (inline.is_empty(), file.is_empty()) {
            (false, false) => Err(self.refuse(key, &format!("and `{file_key}` are both set; set one"))),
            (false, true) => Ok(inline.clone()),
            (true, true) => bail!(
                "neither `{key}` nor `{file_key}` is set, but {why} (set one in the file or as {} or {})",
                Self::variable(key),
                Self::variable(&file_key)
            ),
            (true, false) => {
                let text = std::fs::read_to_string(file).map(Zeroizing::new);
                let what = || self.problem(&file_key, &format!("names {file}, which cannot be read"));
                Ok(SecretString::new(text.with_context(what)?.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}
