use esoz_device_dispense::InvalidPseudonym;
use esoz_https::RequestError;
use esoz_import::LineError;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::RegistryKind;

/// Why a registry's answer is not available. Names fields, and holds nothing that they held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The request failed, or its answer is not one to it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The pseudonym to ask about is none of the scheme that is configured.
    #[error("the pseudonym is of another scheme")]
    Pseudonym(#[from] InvalidPseudonym),
    /// The answer holds no record of the form.
    #[error("the answer has not the documented form")]
    Form(#[from] LineError),
    /// An item of a list is no record of the form.
    #[error("the answer has not the documented form in {list}[{index}]")]
    Item { list: &'static str, index: usize, source: LineError },
}

impl LookupError {
    pub(crate) fn answer(problem: &'static str) -> Self {
        Self::Request(RequestError::InvalidAnswer(problem))
    }

    /// Translates the error. Whatever went wrong, nobody knows what the registry holds, and the caller may ask again.
    pub(crate) fn store_error(self, server: &str, kind: RegistryKind) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, format!("asking {server} about {kind}")).because(self)
    }
}
