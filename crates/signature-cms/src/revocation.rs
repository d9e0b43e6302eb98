//! Certificate revocation lists (RFC 5280, section 5).

use std::collections::HashSet;

use der::{Decode as _, Encode as _};
use esoz_kernel::Timestamp;
use x509_cert::crl::CertificateList;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::name::Name;

use crate::algorithm::Scheme;
use crate::certificate::{Cert, seconds};
use crate::reason;
use crate::settings::{CmsSettingsError, RevocationPolicy};

/// The configured lists.
pub(crate) struct RevocationLists {
    lists: Vec<RevocationList>,
    policy: RevocationPolicy,
}

struct RevocationList {
    list: CertificateList,
    /// The signed bytes.
    tbs: Vec<u8>,
    issuer: String,
    serial_numbers: HashSet<Vec<u8>>,
}

impl RevocationLists {
    /// Reads lists in DER.
    ///
    /// # Errors
    /// [`CmsSettingsError`] when one cannot be parsed or has critical extensions, such as a list of changes only.
    pub(crate) fn read(lists: &[Vec<u8>], policy: RevocationPolicy) -> Result<Self, CmsSettingsError> {
        let lists = lists.iter().map(|der| RevocationList::read(der)).collect::<Result<_, _>>()?;
        Ok(Self { lists, policy })
    }

    /// Checks that the certificate is not revoked by its issuer, as far as the policy asks.
    pub(crate) fn require_good(
        &self,
        cert: &Cert,
        issuer: &Cert,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let name = normalized(&issuer.certificate.tbs_certificate.subject);
        let mut of_issuer = self.lists.iter().filter(|list| list.issuer == name).peekable();
        if of_issuer.peek().is_none() && self.policy == RevocationPolicy::WhereListed {
            return Ok(());
        }
        let serial_number = cert.certificate.tbs_certificate.serial_number.as_bytes();
        let mut is_known = false;
        for list in of_issuer.filter(|list| list.is_signed_by(issuer)) {
            // An outdated list still tells the truth about whom it names.
            if list.serial_numbers.contains(serial_number) {
                return Err(reason::REVOKED);
            }
            is_known |= list.is_current(now);
        }
        if is_known { Ok(()) } else { Err(reason::REVOCATION_UNKNOWN) }
    }
}

/// Normalizes a distinguished name for comparison: string types, case and whitespace do not count (RFC 5280, section 7.1). A list that did not match its
/// issuer would be ignored, and a revoked certificate accepted. The signature of the list is verified in addition.
fn normalized(name: &Name) -> String {
    name.to_string().replace("\\ ", " ").to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl RevocationList {
    fn read(der: &[u8]) -> Result<Self, CmsSettingsError> {
        let malformed = |_| CmsSettingsError::RevocationListMalformed;
        let list = CertificateList::from_der(der).map_err(malformed)?;
        let tbs = &list.tbs_cert_list;
        let revoked = tbs.revoked_certificates.as_deref().unwrap_or_default();
        let of_entries = revoked.iter().filter_map(|entry| entry.crl_entry_extensions.as_ref()).flatten();
        let mut extensions = tbs.crl_extensions.iter().flatten().chain(of_entries);
        if extensions.any(|Extension { critical, .. }| *critical) {
            return Err(CmsSettingsError::RevocationListUnsupported);
        }
        Ok(Self {
            tbs: tbs.to_der().map_err(malformed)?,
            issuer: normalized(&tbs.issuer),
            serial_numbers: revoked.iter().map(|entry| entry.serial_number.as_bytes().to_vec()).collect(),
            list,
        })
    }

    fn is_signed_by(&self, issuer: &Cert) -> bool {
        let may_sign = issuer.key_usage.as_ref().is_none_or(KeyUsage::crl_sign);
        let algorithm = &self.list.signature_algorithm;
        let verified = || {
            let signature = self.list.signature.as_bytes()?;
            issuer.require_signature(Scheme::of(algorithm).ok()?, &self.tbs, signature).ok()
        };
        may_sign && self.list.tbs_cert_list.signature == *algorithm && verified().is_some()
    }

    fn is_current(&self, now: Timestamp) -> bool {
        let tbs = &self.list.tbs_cert_list;
        let is_before_next = tbs.next_update.is_some_and(|next| now.as_second() <= seconds(next));
        seconds(tbs.this_update) <= now.as_second() && is_before_next
    }
}
