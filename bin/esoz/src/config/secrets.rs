//! Secrets: each is given in the configuration or in a file of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use esoz_device_dispense::{PatientPseudonyms, PseudonymFingerprint};
use esoz_kernel::SecretString;
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacDrfoDigests, HmacSha256Pseudonyms};
use esoz_signed_content::DrfoDigests;
use esoz_tls::SecretSource;

use super::Config;
use super::validate::SERVERS;
use super::variables::variable_of;

impl Config {
    /// The secret that authenticates us to the introspection endpoint.
    pub(crate) fn client_secret(&self) -> Result<SecretString> {
        let auth = &self.sections.auth;
        let why = "`auth.tokens` is `introspection`";
        self.secret("auth.client_secret", &auth.client_secret, &auth.client_secret_file, why)
    }

    /// The scheme of patient pseudonyms. Not validated at load, because not every command needs it.
    pub(crate) fn pseudonyms(&self) -> Result<Arc<dyn PatientPseudonyms>> {
        Ok(self.pseudonym_scheme()?.0)
    }

    /// The fingerprint of that scheme with its key.
    pub(crate) fn pseudonym_fingerprint(&self) -> Result<PseudonymFingerprint> {
        Ok(self.pseudonym_scheme()?.1)
    }

    fn pseudonym_scheme(&self) -> Result<(Arc<dyn PatientPseudonyms>, PseudonymFingerprint)> {
        let patient = &self.sections.patient;
        let key = self.patient_key()?;
        match patient.pseudonym.as_str() {
            HmacSha256Pseudonyms::SCHEME => {
                let scheme = HmacSha256Pseudonyms::try_new(key.expose()).context("`patient.key`")?;
                let fingerprint = scheme.fingerprint();
                Ok((Arc::new(scheme), fingerprint))
            }
            Aes128CbcPseudonyms::SCHEME => {
                let why = "`patient.pseudonym` is `aes-128-cbc`";
                let iv = self.secret("patient.iv", &patient.iv, &patient.iv_file, why)?;
                let scheme = Aes128CbcPseudonyms::try_new(key.expose(), iv.expose());
                let scheme = scheme.context("`patient.key` and `patient.iv`")?;
                let fingerprint = scheme.fingerprint();
                Ok((Arc::new(scheme), fingerprint))
            }
            _ => Err(self.refuse("patient.pseudonym", "must be `hmac-sha256` or `aes-128-cbc`")),
        }
    }

    /// The digests of taxpayer numbers, which have the secret of the pseudonyms.
    pub(crate) fn drfo_digests(&self) -> Result<Arc<dyn DrfoDigests>> {
        let digests = HmacDrfoDigests::try_new(self.patient_key()?.expose());
        Ok(Arc::new(digests.context("`patient.key`")?))
    }

    fn patient_key(&self) -> Result<SecretString> {
        let patient = &self.sections.patient;
        self.secret("patient.key", &patient.key, &patient.key_file, "patient pseudonyms need it")
    }

    /// The secret of the bucket of signed documents.
    pub(crate) fn secret_access_key(&self) -> Result<SecretString> {
        let media = &self.sections.media;
        let why = "`media.storage` is `s3`";
        self.secret("media.secret_access_key", &media.secret_access_key, &media.secret_access_key_file, why)
    }

    /// The URL of PostgreSQL.
    pub(crate) fn postgres_url(&self) -> Result<SecretSource> {
        let postgres = &self.sections.postgres;
        self.source("postgres.url", &postgres.url, &postgres.url_file, SERVERS)
    }

    /// Whether migrations have a URL of PostgreSQL of their own.
    pub(crate) fn has_migration_url(&self) -> bool {
        let postgres = &self.sections.postgres;
        !postgres.migration_url.is_empty() || !postgres.migration_url_file.is_empty()
    }

    /// The URL of PostgreSQL for migrations: as configured, or that of the service.
    pub(crate) fn postgres_migration_url(&self) -> Result<SecretSource> {
        if !self.has_migration_url() {
            return self.postgres_url();
        }
        let postgres = &self.sections.postgres;
        self.source("postgres.migration_url", &postgres.migration_url, &postgres.migration_url_file, SERVERS)
    }

    /// The connection string of MongoDB.
    pub(crate) fn mongodb_uri(&self) -> Result<SecretSource> {
        let mongodb = &self.sections.mongodb;
        self.source("mongodb.uri", &mongodb.uri, &mongodb.uri_file, SERVERS)
    }

    /// The secret of a key, or of the file that `<key>_file` names.
    pub(super) fn secret(
        &self,
        key: &str,
        inline: &SecretString,
        file: &str,
        why: &str,
    ) -> Result<SecretString> {
        let source = self.source(key, inline, file, why)?;
        source
            .read()
            .with_context(|| self.problem(&format!("{key}_file"), "names a file that cannot be used"))
    }

    /// Where the secret of a key is: in the key, or in the file that `<key>_file` names.
    pub(super) fn source(
        &self,
        key: &str,
        inline: &SecretString,
        file: &str,
        why: &str,
    ) -> Result<SecretSource> {
        let file_key = format!("{key}_file");
        match (inline.is_empty(), file.is_empty()) {
            (false, false) => Err(self.refuse(key, &format!("and `{file_key}` are both set; set one"))),
            (false, true) => Ok(SecretSource::Inline(inline.clone())),
            (true, true) => bail!(
                "neither `{key}` nor `{file_key}` is set, but {why} (set one in the file or as {} or {})",
                variable_of(key),
                variable_of(&file_key)
            ),
            (true, false) => Ok(SecretSource::File(PathBuf::from(file))),
        }
    }
}
