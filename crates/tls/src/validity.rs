//! The period of a certificate.

use esoz_kernel::Timestamp;
use esoz_kernel::time::rfc3339_millis;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

/// The period in which a certificate is valid, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub not_before: Timestamp,
    /// `notAfter`.
    pub not_after: Timestamp,
}

impl Validity {
    /// Reads the period of a certificate; `None` if it cannot be parsed.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        let timestamp = |time: Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        Some(Self { not_before: timestamp(validity.not_before)?, not_after: timestamp(validity.not_after)? })
    }

    /// Reads the period of the first certificate of a chain; `None` if it cannot be parsed.
    pub fn of_key(key: &CertifiedKey) -> Option<Self> {
        Self::of(key.cert.first()?)
    }

    /// Why the certificate is not valid at that time; `None` if it is.
    pub fn refusal(&self, at: Timestamp) -> Option<String> {
        if at > self.not_after {
            Some(format!("the certificate expired at {}", rfc3339_millis(self.not_after)))
        } else if at < self.not_before {
            Some(format!("the certificate is not valid before {}", rfc3339_millis(self.not_before)))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use time::{Duration, OffsetDateTime};

    use super::*;

    #[test]
    fn a_certificate_is_valid_from_its_first_second_to_its_last() {
        let from = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from, from + Duration::days(1));
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(made.der()).unwrap();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        assert_eq!(validity, Validity { not_before: at(0), not_after: at(86_400) });
        for second in [0, 1, 86_400] {
            assert_eq!(validity.refusal(at(second)), None, "{second}");
        }
        assert_eq!(
            validity.refusal(at(-1)).unwrap(),
            "the certificate is not valid before 2027-01-15T08:00:00.000Z"
        );
        assert_eq!(
            validity.refusal(at(86_401)).unwrap(),
            "the certificate expired at 2027-01-16T08:00:00.000Z"
        );
        assert_eq!(Validity::of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
