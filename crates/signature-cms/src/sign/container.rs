use std::time::Duration;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
    SignerInfos,
};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ID_SHA_256, ID_SHA_384, ID_SHA_512, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::{AssociatedOid as _, ObjectIdentifier};
use der::asn1::{GeneralizedTime, OctetString, SetOfVec, UtcTime};
use der::{Any, DateTime, Decode as _, Encode};
use esoz_kernel::Timestamp;
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512,
    SigningKey as _,
};
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::{SignError, TestSigner};
use crate::algorithm::Hash;

/// How a container is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignOptions {
    /// The signed attribute `signingTime`.
    pub signing_time: Option<Timestamp>,
    /// Leaves the content out.
    pub is_detached: bool,
    /// Signs the content itself, without signed attributes.
    pub without_attributes: bool,
    /// Names the certificates by their key identifiers, which they must have, in the place of issuer and serial number.
    pub by_key_identifier: bool,
}

/// Signs content by each of the signers, or by none, and returns the container in DER.
///
/// # Errors
/// [`SignError`]
pub fn sign(content: &[u8], signers: &[&TestSigner], options: SignOptions) -> Result<Vec<u8>, SignError> {
    let infos = signers.iter().map(|signer| signer.info(content, options)).collect::<Result<Vec<_>, _>>()?;
    let mut algorithms: Vec<AlgorithmIdentifierOwned> = Vec::new();
    for info in &infos {
        if !algorithms.contains(&info.digest_alg) {
            algorithms.push(info.digest_alg.clone());
        }
    }
    let mut all: Vec<&Vec<u8>> = signers.iter().flat_map(|signer| &signer.certificates).collect();
    all.sort_unstable();
    all.dedup();
    let certificates =
        all.into_iter().map(|der| Ok(CertificateChoices::Certificate(Certificate::from_der(der)?)));
    let certificates = certificates.collect::<Result<Vec<_>, SignError>>()?;
    let data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(algorithms)?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: ID_DATA,
            econtent: if options.is_detached { None } else { Some(any(&OctetString::new(content)?)?) },
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(certificates)?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(infos)?),
    };
    Ok(ContentInfo { content_type: ID_SIGNED_DATA, content: any(&data)? }.to_der()?)
}

impl TestSigner {
    /// Signs content, at that time, and returns the container in DER.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn sign(&self, content: &[u8], at: Timestamp) -> Result<Vec<u8>, SignError> {
        sign(content, &[self], SignOptions { signing_time: Some(at), ..SignOptions::default() })
    }

    fn info(&self, content: &[u8], options: SignOptions) -> Result<SignerInfo, SignError> {
        let (hash, digest_algorithm, signature_algorithm) = self.algorithms()?;
        let certificate = Certificate::from_der(self.certificate())?;
        let attributes = if options.without_attributes {
            None
        } else {
            Some(attributes(hash.digest(content).as_ref(), options.signing_time)?)
        };
        let signed = attributes.as_ref().map(Encode::to_der).transpose()?;
        let signature = self.key.sign(signed.as_deref().unwrap_or(content))?;
        let sid = if options.by_key_identifier { by_key(&certificate)? } else { by_number(certificate) };
        Ok(SignerInfo {
            version: if options.by_key_identifier { CmsVersion::V3 } else { CmsVersion::V1 },
            sid,
            digest_alg: AlgorithmIdentifierOwned { oid: digest_algorithm, parameters: None },
            signed_attrs: attributes,
            signature_algorithm,
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        })
    }

    fn algorithms(&self) -> Result<(Hash, ObjectIdentifier, AlgorithmIdentifierOwned), SignError> {
        let ecdsa = |oid| AlgorithmIdentifierOwned { oid, parameters: None };
        let rsa = |oid| AlgorithmIdentifierOwned { oid, parameters: Some(Any::null()) };
        let algorithm = self.key.algorithm();
        if algorithm == &PKCS_ECDSA_P256_SHA256 {
            Ok((Hash::Sha256, ID_SHA_256, ecdsa(ECDSA_WITH_SHA_256)))
        } else if algorithm == &PKCS_ECDSA_P384_SHA384 {
            Ok((Hash::Sha384, ID_SHA_384, ecdsa(ECDSA_WITH_SHA_384)))
        } else if algorithm == &PKCS_RSA_SHA256 {
            Ok((Hash::Sha256, ID_SHA_256, rsa(SHA_256_WITH_RSA_ENCRYPTION)))
        } else if algorithm == &PKCS_RSA_SHA384 {
            Ok((Hash::Sha384, ID_SHA_384, rsa(SHA_384_WITH_RSA_ENCRYPTION)))
        } else if algorithm == &PKCS_RSA_SHA512 {
            Ok((Hash::Sha512, ID_SHA_512, rsa(SHA_512_WITH_RSA_ENCRYPTION)))
        } else {
            Err(SignError::UnsupportedKey)
        }
    }
}

fn by_number(certificate: Certificate) -> SignerIdentifier {
    SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
        issuer: certificate.tbs_certificate.issuer,
        serial_number: certificate.tbs_certificate.serial_number,
    })
}

fn by_key(certificate: &Certificate) -> Result<SignerIdentifier, SignError> {
    let (_, identifier) = (certificate.tbs_certificate.get::<SubjectKeyIdentifier>()?)
        .ok_or_else(|| der::Error::from(der::ErrorKind::OidUnknown { oid: SubjectKeyIdentifier::OID }))?;
    Ok(SignerIdentifier::SubjectKeyIdentifier(identifier))
}

fn attributes(digest: &[u8], signing_time: Option<Timestamp>) -> Result<SignedAttributes, SignError> {
    let mut all = vec![
        attribute(ID_CONTENT_TYPE, any(&ID_DATA)?)?,
        attribute(ID_MESSAGE_DIGEST, any(&OctetString::new(digest)?)?)?,
    ];
    if let Some(at) = signing_time {
        all.push(attribute(ID_SIGNING_TIME, any(&encoded_time(at)?)?)?);
    }
    Ok(SetOfVec::try_from(all)?)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute, SignError> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// `UTCTime` until 2049, `GeneralizedTime` from then on.
fn encoded_time(at: Timestamp) -> Result<Time, SignError> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| SignError::OutOfRange)?;
    let time = DateTime::from_unix_duration(Duration::from_secs(seconds))?;
    let utc = UtcTime::from_date_time(time).map(Time::UtcTime);
    Ok(utc.unwrap_or_else(|_| Time::GeneralTime(GeneralizedTime::from_date_time(time))))
}

fn any(value: &impl Encode) -> Result<Any, SignError> {
    Ok(Any::from_der(&value.to_der()?)?)
}
