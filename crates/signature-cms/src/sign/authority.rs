use der::Decode as _;
use esoz_kernel::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use x509_cert::Certificate;

use super::period::date_time;
use super::signer::{certificates_of, pem};
use super::{Period, Person, SignError, TestSigner};

/// A certificate authority for tests and demos.
pub struct TestAuthority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, and those above it but for the root's.
    certificates: Vec<Vec<u8>>,
}

impl TestAuthority {
    /// Creates a root authority with a fresh key on P-256.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn new(name: &str, period: Period) -> Result<Self, SignError> {
        Self::with(Self::params(name, period)?, KeyPair::generate()?)
    }

    /// Creates a root authority from parameters, see [`Self::params`], and a key.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn with(params: CertificateParams, key: KeyPair) -> Result<Self, SignError> {
        let certificate = params.self_signed(&key)?.der().to_vec();
        Ok(Self { issuer: Issuer::new(params, key), certificates: vec![certificate] })
    }

    /// Creates an authority below this one, from parameters, see [`Self::params`], and a key.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn intermediate(&self, params: CertificateParams, key: KeyPair) -> Result<Self, SignError> {
        let certificate = params.signed_by(&key, &self.issuer)?.der().to_vec();
        let mut certificates = vec![certificate];
        certificates.extend_from_slice(self.above_signers());
        Ok(Self { issuer: Issuer::new(params, key), certificates })
    }

    /// Reads an authority that [`Self::certificate_pem`] and [`Self::key_pem`] wrote.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, SignError> {
        let certificates = certificates_of(certificate)?;
        let first = certificates.first().ok_or(SignError::NoCertificate)?;
        let issuer = Issuer::from_ca_cert_der(&first.as_slice().into(), KeyPair::from_pem(key)?)?;
        Ok(Self { issuer, certificates })
    }

    /// The parameters of an authority's certificate: it may sign certificates and revocation lists.
    ///
    /// # Errors
    /// [`SignError::OutOfRange`]
    pub fn params(name: &str, period: Period) -> Result<CertificateParams, SignError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        period.write_to(&mut params)?;
        Ok(params)
    }

    /// Creates a signer with a fresh key on P-256.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn signer(&self, person: &Person, period: Period) -> Result<TestSigner, SignError> {
        self.issue(&person.params(period)?, KeyPair::generate()?)
    }

    /// Creates a signer from parameters, see [`Person::params`], and a key.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn issue(&self, params: &CertificateParams, key: KeyPair) -> Result<TestSigner, SignError> {
        let mut certificates = vec![params.signed_by(&key, &self.issuer)?.der().to_vec()];
        certificates.extend_from_slice(self.above_signers());
        Ok(TestSigner { key, certificates })
    }

    /// Creates a revocation list, in DER, that names certificates of this authority.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn revoke(&self, certificates: &[&[u8]], period: Period) -> Result<Vec<u8>, SignError> {
        let revoked = certificates.iter().map(|der| revoked(der, period.from)).collect::<Result<_, _>>()?;
        let list = CertificateRevocationListParams {
            this_update: date_time(period.from)?,
            next_update: date_time(period.until)?,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.der().to_vec())
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        self.certificates.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// Its certificate in PEM, followed by those above it but for the root's.
    ///
    /// # Errors
    /// [`SignError::Encoding`]
    pub fn certificate_pem(&self) -> Result<String, SignError> {
        pem(&self.certificates)
    }

    /// Its private key in PEM (PKCS #8). A secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The certificates that a container of its signers carries: none when it is a root, whose certificate is configured where containers are
    /// verified.
    fn above_signers(&self) -> &[Vec<u8>] {
        let is_root = Certificate::from_der(self.certificate()).is_ok_and(|certificate| {
            certificate.tbs_certificate.issuer == certificate.tbs_certificate.subject
        });
        if is_root { &[] } else { &self.certificates }
    }
}

fn revoked(certificate: &[u8], at: Timestamp) -> Result<RevokedCertParams, SignError> {
    let certificate = Certificate::from_der(certificate)?;
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(certificate.tbs_certificate.serial_number.as_bytes()),
        revocation_time: date_time(at)?,
        reason_code: None,
        invalidity_date: None,
    })
}
