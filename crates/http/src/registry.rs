//! The registry of operations.

use esoz_auth::{AuthError, OperationInfo};
use esoz_contract_division::UpdateContractDivision;
use esoz_device_dispense::StopDispense;
use esoz_kernel::Failure as _;

use crate::observer::{AUTHENTICATE_API_KEY, AUTHENTICATE_TOKEN, OK};

/// Lists every operation of the API: the labels of metrics, the security part of the description and the authorisation table of the tests are made
/// from it.
pub fn operations() -> Vec<OperationInfo> {
    vec![OperationInfo::of::<StopDispense>(), OperationInfo::of::<UpdateContractDivision>()]
}

/// Lists every operation that is observed, authentication first, with its outcomes.
pub fn outcomes() -> Vec<(&'static str, Vec<&'static str>)> {
    let authentications = [AUTHENTICATE_TOKEN, AUTHENTICATE_API_KEY].map(|name| (name, AuthError::codes()));
    let operations = operations().into_iter().map(|operation| (operation.name, operation.outcomes()));
    let with_ok = |(name, codes)| (name, [vec![OK], codes].concat());
    authentications.into_iter().chain(operations).map(with_ok).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_is_one_word_and_stands_once() {
        for (operation, outcomes) in outcomes() {
            let distinct: BTreeSet<&str> = outcomes.iter().copied().collect();
            assert_eq!(distinct.len(), outcomes.len(), "{operation}: {outcomes:?}");
            for outcome in outcomes {
                assert!(outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{outcome}");
            }
        }
    }
}
