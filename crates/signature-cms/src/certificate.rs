//! One certificate: what its extensions say, and who has signed it.

use std::collections::HashSet;

use const_oid::db::rfc5280::{
    ID_CE_CERTIFICATE_POLICIES, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES,
};
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Encode as _};
use esoz_kernel::Timestamp;
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use x509_cert::time::Time;

use crate::algorithm::{self, Scheme};
use crate::{bounds, reason};

/// Statements that a certificate is qualified (RFC 3739, section 3.2.6).
const QC_STATEMENTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.3");

/// A certificate with what is needed of it, parsed once.
pub(crate) struct Cert {
    pub(crate) certificate: Certificate,
    /// The signed bytes.
    tbs: Vec<u8>,
    /// Names in DER: they are compared byte by byte.
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) subject_key_identifier: Option<SubjectKeyIdentifier>,
    pub(crate) directory_attributes: Vec<Attribute>,
    has_unsupported_extension: bool,
}

impl Cert {
    /// Reads the extensions of a certificate.
    ///
    /// # Errors
    /// [`reason::CERTIFICATE_MALFORMED`] when one stands twice, or one that is needed cannot be parsed.
    pub(crate) fn read(certificate: Certificate) -> Result<Self, &'static str> {
        let malformed = |_| reason::CERTIFICATE_MALFORMED;
        let tbs = &certificate.tbs_certificate;
        let extensions = tbs.extensions.as_deref().unwrap_or_default();
        let mut seen = HashSet::new();
        if !extensions.iter().all(|extension| seen.insert(extension.extn_id)) {
            return Err(reason::CERTIFICATE_MALFORMED);
        }
        Ok(Self {
            tbs: tbs.to_der().map_err(malformed)?,
            subject: tbs.subject.to_der().map_err(malformed)?,
            issuer: tbs.issuer.to_der().map_err(malformed)?,
            basic_constraints: parsed(extensions)?,
            key_usage: parsed(extensions)?,
            subject_key_identifier: parsed(extensions)?,
            directory_attributes: parsed_as(extensions, ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES)?
                .unwrap_or_default(),
            has_unsupported_extension: extensions.iter().any(|extension| !is_supported(extension)),
            certificate,
        })
    }

    /// Whether the issuer has signed it.
    ///
    /// # Errors
    /// As [`algorithm::verify`].
    pub(crate) fn require_signed_by(&self, issuer: &Self) -> Result<(), &'static str> {
        let Certificate { tbs_certificate, signature_algorithm, signature } = &self.certificate;
        if tbs_certificate.signature != *signature_algorithm {
            return Err(reason::CERTIFICATE_MALFORMED);
        }
        let signature = signature.as_bytes().ok_or(reason::CERTIFICATE_MALFORMED)?;
        issuer.require_signature(Scheme::of(signature_algorithm)?, &self.tbs, signature)
    }

    /// Whether its key has signed the message.
    ///
    /// # Errors
    /// As [`algorithm::verify`].
    pub(crate) fn require_signature(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), &'static str> {
        let key = &self.certificate.tbs_certificate.subject_public_key_info;
        algorithm::verify(key, scheme, message, signature)
    }

    /// Checks what every certificate of a chain must fulfil.
    pub(crate) fn require_valid(&self, at: Timestamp) -> Result<(), &'static str> {
        let validity = self.certificate.tbs_certificate.validity;
        if at.as_second() < seconds(validity.not_before) {
            return Err(reason::CERTIFICATE_NOT_YET_VALID);
        }
        if at.as_second() > seconds(validity.not_after) {
            return Err(reason::CERTIFICATE_EXPIRED);
        }
        if self.has_unsupported_extension { Err(reason::UNSUPPORTED_EXTENSION) } else { Ok(()) }
    }

    /// Checks that it may issue certificates with that many intermediate ones below it.
    pub(crate) fn require_authority(&self, intermediates: usize) -> Result<(), &'static str> {
        let allows_length = self.basic_constraints.as_ref().is_some_and(|constraints| {
            constraints.ca && constraints.path_len_constraint.is_none_or(|most| intermediates <= most.into())
        });
        let may_sign = self.key_usage.as_ref().is_none_or(KeyUsage::key_cert_sign);
        if allows_length && may_sign { Ok(()) } else { Err(reason::NOT_AN_AUTHORITY) }
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

/// Extensions that are judged, or that may be critical and restrict nothing that is relied on here: policies are not asked for, and Ukrainian
/// certificates mark the statement that they are qualified as critical.
fn is_supported(extension: &Extension) -> bool {
    let known = [
        BasicConstraints::OID,
        KeyUsage::OID,
        ID_CE_CERTIFICATE_POLICIES,
        ID_CE_SUBJECT_ALT_NAME,
        QC_STATEMENTS,
    ];
    // Names that are constrained are never ignored, although some authorities do not mark them as critical.
    let may_be_ignored = !extension.critical && extension.extn_id != ID_CE_NAME_CONSTRAINTS;
    may_be_ignored || known.contains(&extension.extn_id)
}

fn parsed<'a, T: Decode<'a> + AssociatedOid>(extensions: &'a [Extension]) -> Result<Option<T>, &'static str> {
    parsed_as(extensions, T::OID)
}

fn parsed_as<'a, T: Decode<'a>>(
    extensions: &'a [Extension],
    name: ObjectIdentifier,
) -> Result<Option<T>, &'static str> {
    let Some(extension) = extensions.iter().find(|extension| extension.extn_id == name) else {
        return Ok(None);
    };
    let value = extension.extn_value.as_bytes();
    bounds::require_moderate(value).map_err(|_| reason::CERTIFICATE_MALFORMED)?;
    T::from_der(value).map(Some).map_err(|_| reason::CERTIFICATE_MALFORMED)
}
