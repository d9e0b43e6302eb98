use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::{
    Clock, Committed, DispenseId, EventId, IdGenerator, RequestId, StoreError, StoreErrorKind, Timestamp,
    UserId, time::to_millis,
};

use crate::{Cause, DeviceDispenses, DispenseStatus, Overdue, OverdueFilter, Transition, Trigger};

/// Expires device dispenses that have been in progress for longer than is allowed (section 4): what a periodic job does, without a caller.
#[derive(Clone)]
pub struct ExpireDispenses {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The source of event ids.
    pub ids: Arc<dyn IdGenerator>,
    /// How long a dispense may be in progress.
    pub lifetime: Duration,
    /// The user in whose name dispenses expire.
    pub system_user: UserId,
}

impl ExpireDispenses {
    /// The status of an expired dispense.
    const EXPIRED: DispenseStatus = DispenseStatus::Unknown;

    /// Returns the instant before which a dispense that is in progress now must have been recorded to be overdue, in milliseconds.
    fn deadline(&self) -> Timestamp {
        to_millis(self.clock.now()).saturating_sub(self.lifetime)
    }

    /// Returns for how long a dispense has been overdue.
    pub fn overdue_for(&self, overdue: &Overdue) -> Duration {
        self.deadline().duration_since(overdue.inserted_at).try_into().unwrap_or_default()
    }

    /// Lists at most `limit` overdue dispenses, oldest first, that come after a position.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn overdue(&self, after: Option<Overdue>, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let from = Self::EXPIRED.sources(Trigger::AutoExpire);
        let filter = OverdueFilter { from, inserted_before: self.deadline(), after };
        self.dispenses.overdue(&filter, limit).await
    }

    /// Expires a dispense. Returns false when it is not overdue any more: it was stopped, completed or expired meanwhile, and stays so.
    ///
    /// # Errors
    /// [`StoreError`]; of kind corrupt when the dispense cannot be read, and was left as it is, and of kind conflict when the store keeps refusing
    /// to change it. After an error of another kind it may have expired or not; expiring it again tells.
    pub async fn execute(&self, id: DispenseId) -> Result<bool, StoreError> {
        let transition = self.transition(id);
        match self.dispenses.commit(&transition).await? {
            Committed::Applied(_) | Committed::Replayed(_) => return Ok(true),
            Committed::Stale | Committed::KeyReused => {}
        }
        // Refused: either another change came first, or the dispense cannot be read, which must not pass unseen.
        let found = self.dispenses.find(id).await?;
        let dispense = found.map(|found| found.dispense).transpose()?;
        if dispense.is_some_and(|dispense| transition.applies_to(&dispense)) {
            let attempted =
                format!("expiring dispense {id}: it is overdue, and the store refuses to change it");
            return Err(StoreError::new(StoreErrorKind::Conflict, attempted));
        }
        Ok(false)
    }

    fn transition(&self, id: DispenseId) -> Transition {
        let cause = Cause {
            at: to_millis(self.clock.now()),
            by: self.system_user,
            request_id: RequestId::from_uuid(self.ids.fresh()),
            trace: None,
        };
        let event_id = EventId::new(self.ids.fresh());
        let inserted_before = Some(self.deadline());
        Transition {
            inserted_before,
            ..Transition::new(id, Self::EXPIRED, Trigger::AutoExpire, event_id, &cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{LegalEntityId, Uuid};
    use pollster::block_on;
    use serde_json::{Map, json};

    use super::super::fixtures::{FixedClock, FixedIds};
    use super::*;
    use crate::{Dispense, MockDeviceDispenses, Pseudonym, StoredDispense};

    const ID: DispenseId = DispenseId::new(Uuid::from_u128(4));
    const USER: UserId = UserId::new(Uuid::from_u128(1));

    fn operation(dispenses: MockDeviceDispenses) -> ExpireDispenses {
        let lifetime = Duration::from_hours(24);
        let (clock, ids) = (Arc::new(FixedClock), Arc::new(FixedIds));
        ExpireDispenses { dispenses: Arc::new(dispenses), clock, ids, lifetime, system_user: USER }
    }

    fn dispense(status: DispenseStatus, inserted_at: &str) -> Dispense {
        let mut record = Map::new();
        record.insert("inserted_at".to_owned(), json!(inserted_at));
        let owner = LegalEntityId::new(Uuid::from_u128(2));
        Dispense { id: ID, status, subject: Pseudonym::new("P"), owner, record }
    }

    /// What a store answers that refuses the transition and then finds this.
    fn refused(found: Option<StoredDispense>) -> Result<bool, StoreErrorKind> {
        let mut dispenses = MockDeviceDispenses::new();
        dispenses.expect_commit().times(1).returning(|_| Ok(Committed::Stale));
        let mut found = Some(found);
        dispenses.expect_find().times(1).returning(move |_| Ok(found.take().unwrap()));
        block_on(operation(dispenses).execute(ID)).map_err(|error| error.kind())
    }

    #[test]
    fn given_a_lifetime_of_a_day_then_what_was_recorded_more_than_a_day_ago_in_progress_is_overdue() {
        let mut dispenses = MockDeviceDispenses::new();
        let wanted = OverdueFilter {
            from: vec![DispenseStatus::InProgress],
            inserted_before: "2026-01-30T08:15:30.123Z".parse().unwrap(),
            after: None,
        };
        dispenses.expect_overdue().times(1).returning(move |filter, limit| {
            assert_eq!((filter, limit), (&wanted, 7));
            Ok(Vec::new())
        });
        assert_eq!(block_on(operation(dispenses).overdue(None, 7)).unwrap(), []);
    }

    #[test]
    fn given_an_overdue_dispense_then_it_becomes_unknown_in_the_name_of_the_system_user() {
        let mut dispenses = MockDeviceDispenses::new();
        dispenses.expect_commit().times(1).returning(|transition| {
            let at = "2026-01-31T08:15:30.123Z".parse().unwrap();
            assert_eq!((transition.id, transition.owner, transition.subject.as_ref()), (ID, None, None));
            assert_eq!(transition.from, [DispenseStatus::InProgress]);
            assert_eq!(transition.inserted_before, Some("2026-01-30T08:15:30.123Z".parse().unwrap()));
            assert_eq!((transition.to, transition.at, transition.by), (DispenseStatus::Unknown, at, USER));
            assert_eq!(transition.idempotency, None);
            let event = &transition.event;
            assert_eq!((event.entity_id, event.new_status.as_str()), (ID.uuid(), "unknown"));
            assert_eq!((event.event_time, event.changed_by), (at, USER));
            Ok(Committed::Applied(dispense(DispenseStatus::Unknown, "2026-01-01T00:00:00.000Z")))
        });
        assert!(block_on(operation(dispenses).execute(ID)).unwrap());
    }

    #[test]
    fn given_that_another_change_came_first_then_nothing_expires() {
        let stopped = dispense(DispenseStatus::Stopped, "2026-01-01T00:00:00.000Z");
        assert_eq!(refused(Some(stopped.into())), Ok(false));
        let recorded_anew = dispense(DispenseStatus::InProgress, "2026-01-30T08:15:30.123Z");
        assert_eq!(refused(Some(recorded_anew.into())), Ok(false));
        assert_eq!(refused(None), Ok(false));
    }

    #[test]
    fn given_a_dispense_that_cannot_be_read_or_changed_then_that_is_said() {
        let corrupt = Err(StoreError::corrupt("device_dispenses", ID, "subject"));
        let owner = LegalEntityId::new(Uuid::from_u128(2));
        let unreadable = StoredDispense { owner, subject: None, dispense: corrupt };
        assert_eq!(refused(Some(unreadable)), Err(StoreErrorKind::Corrupt));
        let overdue = dispense(DispenseStatus::InProgress, "2026-01-01T00:00:00.000Z");
        assert_eq!(refused(Some(overdue.into())), Err(StoreErrorKind::Conflict));
    }
}
