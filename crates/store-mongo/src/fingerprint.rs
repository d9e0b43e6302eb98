//! The fingerprint of the scheme and key of pseudonyms, one document of the collection `esoz_settings`.

use async_trait::async_trait;
use bson::{Document, RawDocument, doc};
use esoz_device_dispense::{PseudonymFingerprint, PseudonymFingerprints};
use esoz_kernel::StoreError;

use crate::{
    MongoStore,
    error::MongoError,
    fields::{ID, PSEUDONYM_FINGERPRINT, SETTINGS, VALUE},
    values::digest,
};

#[async_trait]
impl PseudonymFingerprints for MongoStore {
    async fn recorded(&self) -> Result<Option<PseudonymFingerprint>, StoreError> {
        let find = self.documents.settings.find_one(this()).max_time(self.documents.operation_timeout);
        let found = self.documents.attempt("reading the fingerprint of the patient key", find).await?;
        let corrupt = || StoreError::corrupt(SETTINGS, PSEUDONYM_FINGERPRINT, VALUE);
        found.map(|found| fingerprint(&found).ok_or_else(corrupt)).transpose()
    }

    async fn record_first(
        &self,
        fingerprint: PseudonymFingerprint,
    ) -> Result<PseudonymFingerprint, StoreError> {
        loop {
            if let Some(recorded) = self.recorded().await? {
                return Ok(recorded);
            }
            let settings = self.documents.settings.clone_with_type::<Document>();
            match self.documents.with_timeout(settings.insert_one(document(fingerprint))).await {
                Ok(_) => return Ok(fingerprint),
                // A concurrent call has recorded its own, which is read now.
                Err(error) if error.is_duplicate_key() => {}
                Err(error) => return Err(error.during("recording the fingerprint of the patient key")),
            }
        }
    }

    async fn replace(&self, fingerprint: PseudonymFingerprint) -> Result<(), StoreError> {
        let settings = self.documents.settings.clone_with_type::<Document>();
        let replaced = loop {
            let replace = settings.replace_one(this(), document(fingerprint)).upsert(true);
            match self.documents.with_timeout(replace).await {
                // Two that find none insert both; the one that comes second finds one now.
                Err(error) if error.is_duplicate_key() => {}
                replaced => break replaced,
            }
        };
        replaced
            .map(drop)
            .map_err(|error: MongoError| error.during("replacing the fingerprint of the patient key"))
    }
}

fn this() -> Document {
    doc! { ID: PSEUDONYM_FINGERPRINT }
}

fn document(fingerprint: PseudonymFingerprint) -> Document {
    doc! { ID: PSEUDONYM_FINGERPRINT, VALUE: digest(fingerprint.bytes()) }
}

fn fingerprint(stored: &RawDocument) -> Option<PseudonymFingerprint> {
    let bytes = stored.get(VALUE).ok()??.as_binary()?.bytes;
    Some(PseudonymFingerprint::new(bytes.try_into().ok()?))
}
