//! One signature of a container (RFC 5652, section 5).

use cms::signed_data::{SignedAttributes, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNING_TIME};
use der::asn1::OctetStringRef;
use der::{Any, Decode as _, Encode as _};
use esoz_kernel::Timestamp;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::time::Time;

use crate::algorithm::{Hash, Scheme};
use crate::certificate::{Cert, seconds};
use crate::reason;

/// What has been signed.
pub(crate) struct SignedContent<'a> {
    pub(crate) content_type: ObjectIdentifier,
    pub(crate) bytes: &'a [u8],
}

/// Finds the certificate that a signature names.
pub(crate) fn certificate<'c>(signer: &SignerInfo, certificates: &'c [Cert]) -> Option<&'c Cert> {
    certificates.iter().find(|cert| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(named) => {
            let tbs = &cert.certificate.tbs_certificate;
            tbs.issuer == named.issuer && tbs.serial_number == named.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(SubjectKeyIdentifier(named)) => {
            cert.subject_key_identifier.as_ref().is_some_and(|SubjectKeyIdentifier(of_cert)| of_cert == named)
        }
    })
}

/// Verifies that the certificate's key has signed the content.
///
/// # Errors
/// The reason.
pub(crate) fn verify(
    signer: &SignerInfo,
    cert: &Cert,
    content: &SignedContent<'_>,
) -> Result<(), &'static str> {
    let hash = Hash::of(&signer.digest_alg)?;
    let scheme = Scheme::of_signer(&signer.signature_algorithm, hash)?;
    let signature = signer.signature.as_bytes();
    let Some(attributes) = &signer.signed_attrs else {
        // Only content of the type `data` can be signed without attributes (section 5.3).
        if content.content_type != ID_DATA {
            return Err(reason::SIGNED_ATTRIBUTES);
        }
        return cert.require_signature(scheme, content.bytes, signature);
    };
    let malformed = |_| reason::SIGNED_ATTRIBUTES;
    let content_type: ObjectIdentifier =
        required(attributes, ID_CONTENT_TYPE)?.decode_as().map_err(malformed)?;
    if content_type != content.content_type {
        return Err(reason::SIGNED_ATTRIBUTES);
    }
    let digest: OctetStringRef<'_> =
        required(attributes, ID_MESSAGE_DIGEST)?.decode_as().map_err(malformed)?;
    if digest.as_bytes() != hash.digest(content.bytes).as_ref() {
        return Err(reason::ALTERED);
    }
    let message = attributes.to_der().map_err(malformed)?;
    cert.require_signature(scheme, &message, signature)
}

/// The time at which the signer says to have signed.
///
/// # Errors
/// [`reason::SIGNING_TIME`] when it is absent, stands twice, or cannot be parsed.
pub(crate) fn signing_time(signer: &SignerInfo) -> Result<Timestamp, &'static str> {
    let attributes = signer.signed_attrs.as_ref().ok_or(reason::SIGNING_TIME)?;
    let time = required(attributes, ID_SIGNING_TIME).map_err(|_| reason::SIGNING_TIME)?;
    let time = time.to_der().and_then(|der| Time::from_der(&der)).map_err(|_| reason::SIGNING_TIME)?;
    Timestamp::from_second(seconds(time)).map_err(|_| reason::SIGNING_TIME)
}

/// The value of an attribute that must stand once, with one value.
fn required(attributes: &SignedAttributes, name: ObjectIdentifier) -> Result<&Any, &'static str> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == name);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(reason::SIGNED_ATTRIBUTES);
    };
    let [value] = attribute.values.as_slice() else { return Err(reason::SIGNED_ATTRIBUTES) };
    Ok(value)
}
