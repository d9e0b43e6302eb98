use std::fmt;

use async_trait::async_trait;
use esoz_kernel::{StoreError, failure};

use crate::Drfo;

/// A container whose signatures a verifier could read: its content, and one entry for each signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Container {
    /// The signed bytes. Nothing is known of them; `Debug` hides them.
    pub content: Vec<u8>,
    /// The signers, one for each signature, valid or not.
    pub signers: Vec<Signer>,
}

impl fmt::Debug for Container {
    /// Leaves out the content: it is health data.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Container").field("signers", &self.signers).finish_non_exhaustive()
    }
}

/// One signature of a container and what its certificate says about the signer.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// Whether signature, certificate, its chain and its time are valid, by the verifier's configuration; else why not, in snake_case, for the
    /// operator's log (e.g. `certificate_expired`).
    pub verdict: Verdict,
    /// The taxpayer number (DRFO) of the person in the certificate, `None` when it has none.
    pub drfo: Option<Drfo>,
    /// The number of the organisation in the state register (EDRPOU), as written there.
    pub edrpou: Option<String>,
}

/// Whether a signature is valid; else why not, in snake_case.
pub type Verdict = Result<(), &'static str>;

impl fmt::Debug for Signer {
    /// Leaves out the numbers: they identify a person.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

/// Verifies signed containers.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait SignatureVerifier: Send + Sync {
    /// Reads a container and judges each of its signatures. Trusted authorities, revocation, key usage and the time of validity are the
    /// verifier's configuration. `Ok(Err(reason))`, in snake_case for the operator's log, when the bytes are no container with its content
    /// inside, or cannot be judged: then nothing of them may be used.
    ///
    /// # Errors
    /// [`StoreError`] of kind unavailable when the verifier is away.
    async fn verify(&self, container: &[u8]) -> Result<Result<Container, &'static str>, StoreError>;

    /// Checks whether it could judge a container now. One that needs nothing outside of the program always can.
    ///
    /// # Errors
    /// [`StoreError`] of kind unavailable that says what it lacks.
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

failure! {
    /// Why a signed document is not accepted, whatever stands in it ("Signed documents").
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SignedContentError {
        /// It is signed by nobody or by several.
        SignerCount(count: usize = 2) => BadRequest, "signer_count", "document must be signed by 1 signer but contains {count} signatures";
        /// It is no container, detached, altered, or its certificate is expired or of an unknown authority. The reason is for the log alone.
        Invalid(why: &'static str = "not_a_container") => BadRequest, "invalid_signed_content", "Invalid signed content", reason *why;
    }
}

/// Returns the content and the signer of a document that one person has signed ("Signed documents").
///
/// # Errors
/// [`SignedContentError`]: the number of signatures first, then their validity.
pub fn signed_by_one(
    container: Result<Container, &'static str>,
) -> Result<(Vec<u8>, Signer), SignedContentError> {
    let Container { content, signers } = container.map_err(SignedContentError::Invalid)?;
    let count = signers.len();
    let [signer]: [Signer; 1] = signers.try_into().map_err(|_| SignedContentError::SignerCount(count))?;
    signer.verdict.map_err(SignedContentError::Invalid)?;
    Ok((content, signer))
}

#[cfg(test)]
mod tests {
    use esoz_kernel::Failure as _;

    use super::*;

    fn signer(verdict: Verdict) -> Signer {
        Signer { verdict, drfo: Drfo::parse("1234567890"), edrpou: None }
    }

    fn container(signers: &[Verdict]) -> Container {
        Container { content: b"canary".to_vec(), signers: signers.iter().copied().map(signer).collect() }
    }

    #[test]
    fn given_one_valid_signature_then_content_and_signer_are_returned() {
        assert_eq!(signed_by_one(Ok(container(&[Ok(())]))), Ok((b"canary".to_vec(), signer(Ok(())))));
    }

    #[test]
    fn given_no_signature_or_several_then_their_number_is_told_whatever_they_are_worth() {
        for (signers, count) in [(&[][..], 0), (&[Ok(()), Ok(())], 2), (&[Err("altered"), Ok(()), Ok(())], 3)]
        {
            let refused = signed_by_one(Ok(container(signers))).unwrap_err();
            assert_eq!(refused, SignedContentError::SignerCount(count));
            assert_eq!(
                refused.to_string(),
                format!("document must be signed by 1 signer but contains {count} signatures")
            );
        }
    }

    #[test]
    fn given_an_invalid_signature_or_no_container_then_only_the_log_learns_why() {
        for refused in [signed_by_one(Ok(container(&[Err("altered")]))), signed_by_one(Err("altered"))] {
            let refused = refused.unwrap_err();
            assert_eq!(
                (refused.to_string().as_str(), refused.reason()),
                ("Invalid signed content", Some("altered"))
            );
        }
    }

    #[test]
    fn content_and_numbers_are_hidden_from_debug() {
        let shown = format!("{:?}", container(&[Ok(())]));
        assert!(!shown.contains("1234567890") && !shown.contains("99"), "{shown}");
    }
}
