//! What the tests of the operations share: a permit, a clock and ids that stand still.

use esoz_auth::{Caller, Operation, Permit, Principal, Scope, authorize};
use esoz_kernel::{Calendar, CivilDate, ClientId, Clock, IdGenerator, Timestamp, UserId, Uuid};

/// The id that [`FixedIds`] gives.
pub(super) const FRESH_ID: Uuid = Uuid::from_u128(5);

pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-01-31T08:15:30.123999999Z".parse().unwrap()
    }
}

/// Every instant is of the day of [`FixedClock`].
pub(super) struct FixedCalendar;

impl Calendar for FixedCalendar {
    fn day_of(&self, _: Timestamp) -> CivilDate {
        "2026-01-31".parse().unwrap()
    }
}

pub(super) struct FixedIds;

impl IdGenerator for FixedIds {
    fn fresh(&self) -> Uuid {
        FRESH_ID
    }
}

/// The caller of a token with that scope.
pub(super) fn caller(user_id: UserId, client_id: ClientId, scope: &str) -> Caller {
    Caller { principal: Principal { user_id, client_id, scope: Scope::parse(scope) }, api_key: None }
}

/// The permit of a caller with the scope of the operation.
pub(super) fn permit<O: Operation>(user: UserId, client: ClientId) -> Permit<O> {
    authorize(&caller(user, client, O::SCOPE)).unwrap()
}
