use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerInfo};
use const_oid::db::rfc5911::ID_SIGNED_DATA;
use der::Decode as _;
use der::asn1::OctetStringRef;
use esoz_kernel::{Clock, StoreError, StoreErrorKind, Timestamp};
use esoz_signed_content::{Container, SignatureVerifier, Signer, Verdict};
use x509_cert::Certificate;
use x509_cert::ext::pkix::KeyUsage;

use crate::certificate::Cert;
use crate::chain::{MAX_ATTEMPTS, Trust};
use crate::revocation::RevocationLists;
use crate::settings::{CmsSettings, CmsSettingsError, KeyUsagePolicy, RevocationPolicy, ValidityTime};
use crate::signature::SignedContent;
use crate::{bounds, identity, reason, signature};

/// How far the clock of a signer may be ahead.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// Whom a verifier trusts.
struct Trusted {
    authorities: Vec<Cert>,
    revocation: RevocationLists,
}

impl Trusted {
    fn read(
        authorities: &[Vec<u8>],
        lists: &[Vec<u8>],
        policy: RevocationPolicy,
    ) -> Result<Self, CmsSettingsError> {
        if authorities.is_empty() {
            return Err(CmsSettingsError::NoAuthority);
        }
        Ok(Self {
            revocation: RevocationLists::read(lists, policy)?,
            authorities: authorities.iter().map(|der| authority(der)).collect::<Result<_, _>>()?,
        })
    }
}

/// Verifies CMS containers (SignedData with its content inside, DER) against configured authorities. Asks nobody: no revocation server, no timestamp
/// authority.
pub struct CmsVerifier {
    trusted: RwLock<Arc<Trusted>>,
    policy: RevocationPolicy,
    validity_time: ValidityTime,
    key_usage: KeyUsagePolicy,
    clock: Arc<dyn Clock>,
}

impl CmsVerifier {
    /// Creates the verifier.
    ///
    /// # Errors
    /// [`CmsSettingsError`]
    pub fn try_new(settings: &CmsSettings, clock: Arc<dyn Clock>) -> Result<Self, CmsSettingsError> {
        let CmsSettings { authorities, revocation_lists, revocation, .. } = settings;
        let trusted = Trusted::read(authorities, revocation_lists, *revocation)?;
        Ok(Self {
            trusted: RwLock::new(Arc::new(trusted)),
            policy: settings.revocation,
            validity_time: settings.validity_time,
            key_usage: settings.key_usage,
            clock,
        })
    }

    /// Replaces the authorities and the revocation lists, both in DER, because newer ones were published.
    ///
    /// # Errors
    /// [`CmsSettingsError`]; then the former ones stay, both.
    pub fn replace_trusted(
        &self,
        authorities: &[Vec<u8>],
        lists: &[Vec<u8>],
    ) -> Result<(), CmsSettingsError> {
        let trusted = Arc::new(Trusted::read(authorities, lists, self.policy)?);
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = trusted;
        Ok(())
    }

    fn trusted_now(&self) -> Arc<Trusted> {
        Arc::clone(&self.trusted.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a container and judges each of its signatures.
    ///
    /// # Errors
    /// The [`reason`] for which nothing of it can be used.
    pub fn judge(&self, container: &[u8]) -> Result<Container, &'static str> {
        bounds::require_moderate(container)?;
        let SignedData { encap_content_info, certificates, signer_infos, .. } = parse(container)?;
        if signer_infos.0.is_empty() && encap_content_info.econtent.is_none() {
            // Certificates alone: nobody has signed nothing.
            return Ok(Container { content: Vec::new(), signers: Vec::new() });
        }
        let content = encap_content_info.econtent.as_ref().ok_or(reason::DETACHED)?;
        let content: OctetStringRef<'_> = content.decode_as().map_err(|_| reason::NOT_A_CONTAINER)?;
        let content =
            SignedContent { content_type: encap_content_info.econtent_type, bytes: content.as_bytes() };
        let certificates = certificates.map(|set| set.0.into_vec()).unwrap_or_default();
        let certificates = certificates.into_iter().filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate),
            CertificateChoices::Other(_) => None,
        });
        let certificates: Vec<Cert> = certificates.map(Cert::read).collect::<Result<_, _>>()?;
        let mut attempts = MAX_ATTEMPTS;
        let signers = signer_infos.0.iter();
        let signers = signers.map(|signer| self.signer(signer, &certificates, &content, &mut attempts));
        Ok(Container { signers: signers.collect(), content: content.bytes.to_vec() })
    }

    fn signer(
        &self,
        signer: &SignerInfo,
        certificates: &[Cert],
        content: &SignedContent<'_>,
        attempts: &mut u32,
    ) -> Signer {
        let Some(cert) = signature::certificate(signer, certificates) else {
            return Signer { verdict: Err(reason::CERTIFICATE_MISSING), drfo: None, edrpou: None };
        };
        Signer {
            verdict: signature::verify(signer, cert, content)
                .and_then(|()| self.trusted(signer, cert, certificates, attempts))
                .and_then(|()| self.usable(cert)),
            drfo: identity::drfo(cert),
            edrpou: identity::edrpou(cert),
        }
    }

    fn trusted(
        &self,
        signer: &SignerInfo,
        cert: &Cert,
        certificates: &[Cert],
        attempts: &mut u32,
    ) -> Verdict {
        let now = self.clock.now();
        let trusted = self.trusted_now();
        let Trusted { authorities, revocation } = &*trusted;
        let at = match self.validity_time {
            ValidityTime::Now => now,
            ValidityTime::SigningTime => not_in_the_future(signature::signing_time(signer)?, now)?,
        };
        Trust { authorities, intermediates: certificates, at, now, revocation }.judge(cert, attempts)
    }

    /// Checks that the certificate is for signatures.
    fn usable(&self, cert: &Cert) -> Verdict {
        let key_usage = cert.key_usage.as_ref();
        let is_for_signatures = match self.key_usage {
            KeyUsagePolicy::Signature => {
                key_usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation())
            }
            KeyUsagePolicy::NonRepudiation => key_usage.is_some_and(KeyUsage::non_repudiation),
        };
        if is_for_signatures { Ok(()) } else { Err(reason::KEY_USAGE) }
    }
}

#[async_trait]
impl SignatureVerifier for CmsVerifier {
    async fn verify(&self, container: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        Ok(self.judge(container))
    }

    /// Fails while no certificate of an authority is valid.
    async fn ping(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.trusted_now().authorities.iter().any(|authority| authority.require_valid(now).is_ok()) {
            return Ok(());
        }
        let attempted = "checking the trusted authorities of signatures";
        let why = "the certificate of each is expired, or not valid yet";
        Err(StoreError::new(StoreErrorKind::Unavailable, attempted).because(why))
    }
}

fn parse(container: &[u8]) -> Result<SignedData, &'static str> {
    let info = ContentInfo::from_der(container).map_err(|_| reason::NOT_A_CONTAINER)?;
    if info.content_type != ID_SIGNED_DATA {
        return Err(reason::NOT_A_CONTAINER);
    }
    info.content.decode_as().map_err(|_| reason::NOT_A_CONTAINER)
}

fn authority(der: &[u8]) -> Result<Cert, CmsSettingsError> {
    let certificate = Certificate::from_der(der).map_err(|_| CmsSettingsError::AuthorityMalformed)?;
    let cert = Cert::read(certificate).map_err(|_| CmsSettingsError::AuthorityMalformed)?;
    cert.require_authority(0).map_err(|_| CmsSettingsError::NotAnAuthority)?;
    Ok(cert)
}

fn not_in_the_future(time: Timestamp, now: Timestamp) -> Result<Timestamp, &'static str> {
    let latest = now.as_second().saturating_add_unsigned(CLOCK_SKEW.as_secs());
    if time.as_second() <= latest { Ok(time) } else { Err(reason::SIGNING_TIME) }
}
