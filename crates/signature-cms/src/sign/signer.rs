use const_oid::ObjectIdentifier;
use der::asn1::SetOfVec;
use der::pem::LineEnding;
use der::{Any, Decode as _, Encode as _, EncodePem as _, Tag};
use esoz_signed_content::Drfo;
use rcgen::string::PrintableString;
use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, KeyPair, KeyUsagePurpose};
use x509_cert::Certificate;
use x509_cert::attr::Attribute;

use super::{Period, SignError};
use crate::certificate::Cert;
use crate::identity::{self, UA_DRFO, UA_EDRPOU};

/// Whom a certificate is for.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The common name.
    pub name: String,
    /// The taxpayer number, without a prefix.
    pub drfo: Option<String>,
    /// The number of the organisation, without a prefix.
    pub edrpou: Option<String>,
    /// Where the certificate has the numbers.
    pub numbers_in: NumbersIn,
}

/// Where a certificate has the numbers of the signer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NumbersIn {
    /// In `serialNumber` and `organizationIdentifier` of the subject, with the prefixes of EN 319 412-1.
    #[default]
    Subject,
    /// In the Ukrainian attributes of the extension `subjectDirectoryAttributes`.
    DirectoryAttributes,
}

impl Person {
    /// The parameters of a certificate for signatures.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn params(&self, period: Period) -> Result<CertificateParams, SignError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, self.name.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
        period.write_to(&mut params)?;
        match self.numbers_in {
            NumbersIn::Subject => {
                let numbers = [
                    (vec![2, 5, 4, 5], self.drfo.as_ref().map(|drfo| format!("TINUA-{drfo}"))),
                    (vec![2, 5, 4, 97], self.edrpou.as_ref().map(|edrpou| format!("NTRUA-{edrpou}"))),
                ];
                for (attribute, number) in numbers {
                    if let Some(number) = number {
                        params
                            .distinguished_name
                            .push(DnType::CustomDnType(attribute), directory_string(number));
                    }
                }
            }
            NumbersIn::DirectoryAttributes => {
                let numbers = [(UA_DRFO, &self.drfo), (UA_EDRPOU, &self.edrpou)];
                let numbers = numbers.into_iter().filter_map(|(oid, number)| Some((oid, number.as_ref()?)));
                let attributes: Vec<Attribute> =
                    numbers.map(|(oid, number)| attribute(oid, number)).collect::<Result<_, _>>()?;
                let extension = CustomExtension::from_oid_content(&[2, 5, 29, 9], attributes.to_der()?);
                params.custom_extensions.push(extension);
            }
        }
        Ok(params)
    }
}

fn directory_string(text: String) -> DnValue {
    PrintableString::try_from(text.as_str()).map_or(DnValue::Utf8String(text), DnValue::PrintableString)
}

fn attribute(oid: ObjectIdentifier, value: &str) -> Result<Attribute, SignError> {
    let value = Any::new(Tag::Utf8String, value.as_bytes())?;
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// A person's key and certificate, to sign with in tests and demos.
pub struct TestSigner {
    pub(super) key: KeyPair,
    /// The signer's certificate, then those between it and the root.
    pub(super) certificates: Vec<Vec<u8>>,
}

impl TestSigner {
    /// Reads a signer that [`Self::certificates_pem`] and [`Self::key_pem`] wrote; or an RSA key (PKCS #8) with its certificate.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, SignError> {
        Ok(Self { key: KeyPair::from_pem(key)?, certificates: certificates_of(certificates)? })
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        self.certificates.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The taxpayer number in the certificate, if it has one.
    pub fn drfo(&self) -> Option<Drfo> {
        let certificate = Certificate::from_der(self.certificate()).ok()?;
        identity::drfo(&Cert::read(certificate).ok()?)
    }

    /// The certificate in PEM, followed by those between it and the root.
    ///
    /// # Errors
    /// [`SignError::Encoding`]
    pub fn certificates_pem(&self) -> Result<String, SignError> {
        pem(&self.certificates)
    }

    /// The private key in PEM (PKCS #8). A secret.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// The PEM text of certificates in DER.
pub(super) fn pem(certificates: &[Vec<u8>]) -> Result<String, SignError> {
    certificates.iter().map(|der| Ok(Certificate::from_der(der)?.to_pem(LineEnding::LF)?)).collect()
}

/// The certificates of a PEM text, in DER.
pub(super) fn certificates_of(pem: &str) -> Result<Vec<Vec<u8>>, SignError> {
    crate::certificates_in(pem.as_bytes()).map_err(|_| SignError::NoCertificate)
}
