use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};
use esoz_auth::AuthError;
use esoz_contract_division::UpdateError;
use esoz_device_dispense::StopError;
use esoz_kernel::Failure;

use crate::{Api, routes};

/// Who is told what the server does, e.g. to count it. Every call returns at once.
pub trait Observer: Send + Sync {
    /// A request has arrived.
    fn request_began(&self);

    /// A request is over. Told once for each that began.
    fn request_ended(&self, request: &RequestEnded);

    /// A use case is over, `ok` or with the [`Failure::code`] of its error; one of [`UseCase::outcomes`].
    fn use_case_ended(&self, use_case: UseCase, outcome: &'static str);
}

/// For whoever does not want to know.
impl Observer for () {
    fn request_began(&self) {}
    fn request_ended(&self, _: &RequestEnded) {}
    fn use_case_ended(&self, _: UseCase, _: &'static str) {}
}

/// A request that is over. It says nothing that a client could make many of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnded {
    /// Its verb, one of [`METHODS`].
    pub method: &'static str,
    /// The pattern of its route, one of [`route_patterns`].
    pub route: String,
    /// The status of its answer; 499 when its client left before it.
    pub status: u16,
    /// How long it took.
    pub elapsed: Duration,
}

/// What stands for every verb that HTTP does not know: what a client may write there instead is not repeated.
const OTHER: &str = "_OTHER";

/// The verbs that are told apart.
pub const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", OTHER];

/// What stands for every path that no route takes.
pub const UNMATCHED: &str = "unmatched";

/// The status of a request whose client left before its answer. (No protocol has it; nginx began to call it so.)
pub(crate) const CLIENT_LEFT: u16 = 499;

/// Every route as it is told: its pattern, never a path, which names a patient.
pub fn route_patterns() -> Vec<String> {
    routes::patterns().chain([UNMATCHED.to_owned()]).collect()
}

/// What a request may want done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseCase {
    /// Telling by an access token who calls.
    AuthenticateToken,
    /// Telling by an api key who calls.
    AuthenticateApiKey,
    /// Method 1.
    StopDeviceDispense,
    /// Method 2.
    UpdateContractDivision,
}

const OK: &str = "ok";

impl UseCase {
    /// Every use case.
    pub const ALL: [Self; 4] = [
        Self::AuthenticateToken,
        Self::AuthenticateApiKey,
        Self::StopDeviceDispense,
        Self::UpdateContractDivision,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthenticateToken => "authenticate_token",
            Self::AuthenticateApiKey => "authenticate_api_key",
            Self::StopDeviceDispense => "stop_device_dispense",
            Self::UpdateContractDivision => "update_contract_division",
        }
    }

    /// Every way in which it may end.
    pub fn outcomes(self) -> Vec<&'static str> {
        let mut outcomes = match self {
            Self::AuthenticateToken | Self::AuthenticateApiKey => AuthError::codes(),
            Self::StopDeviceDispense => StopError::codes(),
            Self::UpdateContractDivision => UpdateError::codes(),
        };
        outcomes.insert(0, OK);
        outcomes
    }
}

impl Api {
    /// Tells how a use case ended, and passes it on.
    pub(crate) fn tell<T, F: Failure>(&self, use_case: UseCase, ended: Result<T, F>) -> Result<T, F> {
        self.observer.use_case_ended(use_case, ended.as_ref().map_or_else(Failure::code, |_| OK));
        ended
    }

    /// Tells that a use case ended before it was carried out, if it did.
    pub(crate) fn tell_refusal<T, F: Failure>(
        &self,
        use_case: UseCase,
        permit: Result<T, F>,
    ) -> Result<T, F> {
        if permit.is_err() { self.tell(use_case, permit) } else { permit }
    }
}

/// A request that is not over. When it is dropped, its client has left.
pub(crate) struct Observed {
    observer: Arc<dyn Observer>,
    method: &'static str,
    route: String,
    started: Instant,
    status: u16,
}

impl Observed {
    pub(crate) fn begin(observer: &Arc<dyn Observer>, method: &'static str, route: Option<&str>) -> Self {
        observer.request_began();
        Self {
            observer: observer.clone(),
            method,
            route: route.unwrap_or(UNMATCHED).to_owned(),
            started: Instant::now(),
            status: CLIENT_LEFT,
        }
    }

    pub(crate) fn end(mut self, status: StatusCode) {
        self.status = status.as_u16();
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.observer.request_ended(&RequestEnded {
            method: self.method,
            route: std::mem::take(&mut self.route),
            status: self.status,
            elapsed: self.started.elapsed(),
        });
    }
}

/// The verb as it is told.
pub(crate) fn known(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use esoz_auth::{Scope, require};
    use esoz_device_dispense::DispenseStatus;
    use esoz_kernel::{StoreError, StoreErrorKind};
    use esoz_legal_entity::LegalEntityError;

    use super::*;

    fn assert_known(use_case: UseCase, errors: &[&dyn Failure]) {
        let outcomes = use_case.outcomes();
        for error in errors {
            assert!(outcomes.contains(&error.code()), "{error:?}");
        }
        let each: BTreeSet<&str> = outcomes.iter().copied().collect();
        assert_eq!(each.len(), outcomes.len(), "one is there twice: {outcomes:?}");
        for outcome in outcomes {
            assert!(outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{outcome}");
        }
    }

    fn missing() -> esoz_auth::MissingAllowances {
        require(&[&Scope::parse("")], &["a:b"]).unwrap_err()
    }

    #[test]
    fn every_error_is_an_outcome_of_its_use_case() {
        for kind in StoreErrorKind::ALL {
            let store = || StoreError::new(kind, "testing");
            let auth = [
                AuthError::NoBearerToken,
                AuthError::InvalidToken,
                AuthError::NoApiKey,
                AuthError::InvalidApiKey,
                AuthError::Store(store()),
            ];
            for use_case in [UseCase::AuthenticateToken, UseCase::AuthenticateApiKey] {
                assert_known(use_case, &auth.each_ref().map(|error| -> &dyn Failure { error }));
            }
            let stop = [
                StopError::Scope(missing()),
                StopError::LegalEntity(LegalEntityError::InvalidType),
                StopError::LegalEntity(LegalEntityError::NotActive),
                StopError::NotFound,
                StopError::WrongStatus(DispenseStatus::Stopped),
                StopError::KeyReused,
                StopError::Store(store()),
            ];
            assert_known(
                UseCase::StopDeviceDispense,
                &stop.each_ref().map(|error| -> &dyn Failure { error }),
            );
            let update = [
                UpdateError::Scope(missing()),
                UpdateError::NotFound,
                UpdateError::NotGlobalBudget,
                UpdateError::DivisionNotFound,
                UpdateError::DivisionOfAnotherLegalEntity,
                UpdateError::ContractNotUsable,
                UpdateError::PairTaken,
                UpdateError::KeyReused,
                UpdateError::Store(store()),
            ];
            let update = update.each_ref().map(|error| -> &dyn Failure { error });
            assert_known(UseCase::UpdateContractDivision, &update);
        }
    }

    #[test]
    fn only_known_verbs_are_told_apart() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&Method::from_bytes(b"TEAPOT").unwrap()), OTHER);
    }
}
