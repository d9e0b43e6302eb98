//! Secrets: each is given in the configuration or in a file of its own.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use esoz_device_dispense::PatientPseudonyms;
use esoz_kernel::SecretString;
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};

use super::Config;
use crate::bounded_file::read_file;

impl Config {
    /// The secret that authenticates us to the introspection endpoint.
    pub(crate) fn client_secret(&self) -> Result<SecretString> {
        let auth = &self.sections.auth;
        let why = "`auth.tokens` is `introspection`";
        self.secret("auth.client_secret", &auth.client_secret, &auth.client_secret_file, why)
    }

    /// The scheme of patient pseudonyms. Not validated at load, because not every command needs it.
    pub(crate) fn pseudonyms(&self) -> Result<Arc<dyn PatientPseudonyms>> {
        let patient = &self.sections.patient;
        let key =
            self.secret("patient.key", &patient.key, &patient.key_file, "patient pseudonyms need it")?;
        match patient.pseudonym.as_str() {
            HmacSha256Pseudonyms::SCHEME => {
                Ok(Arc::new(HmacSha256Pseudonyms::try_new(key.expose()).context("`patient.key`")?))
            }
            Aes128CbcPseudonyms::SCHEME => {
                let why = "`patient.pseudonym` is `aes-128-cbc`";
                let iv = self.secret("patient.iv", &patient.iv, &patient.iv_file, why)?;
                let scheme = Aes128CbcPseudonyms::try_new(key.expose(), iv.expose());
                Ok(Arc::new(scheme.context("`patient.key` and `patient.iv`")?))
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
                let what = || self.problem(&file_key, &format!("names {file}, which cannot be read"));
                let bytes = read_file(Path::new(file)).with_context(what)?;
                let text = str::from_utf8(&bytes).with_context(what)?;
                Ok(SecretString::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}
