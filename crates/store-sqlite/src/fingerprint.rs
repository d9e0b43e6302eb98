//! The fingerprint of the scheme and key of pseudonyms, one row of the table `settings`.

use async_trait::async_trait;
use diesel::prelude::*;
use esoz_device_dispense::{PseudonymFingerprint, PseudonymFingerprints};
use esoz_kernel::StoreError;

use crate::SqliteStore;
use crate::error::SqliteError;
use crate::rows::Location;
use crate::schema::settings;

const NAME: &str = "pseudonym_fingerprint";

#[async_trait]
impl PseudonymFingerprints for SqliteStore {
    async fn recorded(&self) -> Result<Option<PseudonymFingerprint>, StoreError> {
        self.read("reading the fingerprint of the patient key", read).await
    }

    async fn record_first(
        &self,
        fingerprint: PseudonymFingerprint,
    ) -> Result<PseudonymFingerprint, StoreError> {
        if let Some(recorded) = self.recorded().await? {
            return Ok(recorded);
        }
        self.writer
            .write("recording the fingerprint of the patient key", move |connection| {
                if let Some(recorded) = read(connection)? {
                    return Ok(recorded);
                }
                write(connection, fingerprint)?;
                Ok(fingerprint)
            })
            .await
    }

    async fn replace(&self, fingerprint: PseudonymFingerprint) -> Result<(), StoreError> {
        self.writer
            .write("replacing the fingerprint of the patient key", move |connection| {
                write(connection, fingerprint)
            })
            .await
    }
}

fn read(connection: &mut SqliteConnection) -> Result<Option<PseudonymFingerprint>, SqliteError> {
    let stored: Option<Vec<u8>> =
        settings::table.find(NAME).select(settings::value).get_result(connection).optional()?;
    let Some(stored) = stored else { return Ok(None) };
    let unreadable = |_| Location { table: "settings", id: NAME }.corrupt("value");
    Ok(Some(PseudonymFingerprint::new(stored.try_into().map_err(unreadable)?)))
}

fn write(connection: &mut SqliteConnection, fingerprint: PseudonymFingerprint) -> Result<(), SqliteError> {
    diesel::replace_into(settings::table)
        .values((settings::name.eq(NAME), settings::value.eq(fingerprint.bytes().as_slice())))
        .execute(connection)?;
    Ok(())
}
