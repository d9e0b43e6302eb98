use esoz_kernel::Timestamp;
use time::OffsetDateTime;

use super::SignError;

/// From when until when a certificate is valid, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
}

impl Period {
    pub(super) fn write_to(self, params: &mut rcgen::CertificateParams) -> Result<(), SignError> {
        params.not_before = date_time(self.from)?;
        params.not_after = date_time(self.until)?;
        Ok(())
    }
}

pub(super) fn date_time(at: Timestamp) -> Result<OffsetDateTime, SignError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| SignError::OutOfRange)
}
