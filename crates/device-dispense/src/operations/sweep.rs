use std::sync::Arc;

use esoz_kernel::{Calendar, CivilDate, Clock, StoreError, StoreErrorKind};
use esoz_signed_content::{MediaKey, MediaStorage};
use serde_json::Value;

use crate::DeviceDispenses;

/// Removes containers that no dispense has: what changes left behind that failed after their container was kept ("Signed documents"). What a periodic
/// job does, without a caller.
#[derive(Clone)]
pub struct SweepContainers {
    /// Where dispenses are kept.
    pub dispenses: Arc<dyn DeviceDispenses>,
    /// Where containers are kept.
    pub media: Arc<dyn MediaStorage>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The day in Ukraine.
    pub calendar: Arc<dyn Calendar>,
}

/// What a sweep of some keys found.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many containers no dispense had; they were removed.
    pub removed: u64,
    /// How many stay because their dispense cannot be read.
    pub unreadable: u64,
    /// How many keys were looked at.
    pub seen: u64,
    /// The first failure that concerns one key alone, such as a storage that refuses to delete it. Its container stays.
    pub failure: Option<StoreError>,
}

impl SweepContainers {
    /// The days that are swept, the latest first: a container of them is older than a day, and its change has failed or committed long since.
    pub fn days(&self, how_many: u32) -> Vec<CivilDate> {
        let today = self.calendar.day_of(self.clock.now());
        let before = |days: u32| today.checked_sub(jiff::Span::new().try_days(days).ok()?).ok();
        (2..2 + how_many).filter_map(before).collect()
    }

    /// Sweeps at most `limit` keys of a day, those behind `after` alone. Returns what it found, and where to go on; `None`: that was the last.
    ///
    /// # Errors
    /// [`StoreError`] when the media storage cannot list the day, or it or the store of dispenses is unavailable; sweeping again is safe.
    pub async fn execute(
        &self,
        day: CivilDate,
        after: Option<MediaKey>,
        limit: usize,
    ) -> Result<(Swept, Option<MediaKey>), StoreError> {
        let keys = self.media.list(day, after, limit).await?;
        let next = if keys.len() < limit { None } else { keys.last().cloned() };
        let mut swept = Swept::default();
        for key in keys {
            swept.seen += 1;
            match self.remove_unlinked(&key).await {
                Ok(is_removed) => swept.removed += u64::from(is_removed),
                Err(error) => match error.kind() {
                    StoreErrorKind::Unavailable => return Err(error),
                    StoreErrorKind::Corrupt => swept.unreadable += 1,
                    // What is refused for one key must not keep the sweep from all that follow.
                    _ => swept.failure = swept.failure.or(Some(error)),
                },
            }
        }
        Ok((swept, next))
    }

    /// Removes the container if its dispense does not have it. Returns whether it did; of a dispense that cannot be read that is unknown, so the
    /// container stays.
    async fn remove_unlinked(&self, key: &MediaKey) -> Result<bool, StoreError> {
        if let Some(found) = self.dispenses.find(key.dispense()).await?
            && has_link(found.dispense?.record.get(LINKS), key)
        {
            return Ok(false);
        }
        self.media.delete(key).await?;
        Ok(true)
    }
}

const LINKS: &str = "signed_content_links";

fn has_link(links: Option<&Value>, key: &MediaKey) -> bool {
    let key = key.to_string();
    links.and_then(Value::as_array).is_some_and(|links| links.iter().any(|link| link.as_str() == Some(&key)))
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{DispenseId, LegalEntityId, Pseudonym, Uuid};
    use esoz_signed_content::MockMediaStorage;
    use pollster::block_on;
    use serde_json::json;

    use super::super::fixtures::{FixedCalendar, FixedClock};
    use super::*;
    use crate::{Dispense, DispenseStatus, MockDeviceDispenses, StoredDispense};

    fn day() -> CivilDate {
        "2026-01-29".parse().unwrap()
    }

    fn key(dispense: u128) -> MediaKey {
        MediaKey::new(day(), DispenseId::new(Uuid::from_u128(dispense)), Uuid::from_u128(99))
    }

    fn sweep(dispenses: MockDeviceDispenses, media: MockMediaStorage) -> SweepContainers {
        let (clock, calendar) = (Arc::new(FixedClock), Arc::new(FixedCalendar));
        SweepContainers { dispenses: Arc::new(dispenses), media: Arc::new(media), clock, calendar }
    }

    /// Dispense 1 has its container, 2 has another one, 4 cannot be read, the others are unknown.
    fn find(id: DispenseId) -> Option<StoredDispense> {
        let (number, owner) = (id.uuid().as_u128(), LegalEntityId::new(Uuid::nil()));
        let links = match number {
            1 => json!(["2026-01-01/other", key(1).to_string()]),
            2 => json!([key(1).to_string()]),
            4 => {
                let corrupt = Err(StoreError::corrupt("device_dispenses", id, "status"));
                return Some(StoredDispense { owner, subject: None, dispense: corrupt });
            }
            _ => return None,
        };
        let Value::Object(record) = json!({LINKS: links}) else { unreachable!() };
        let (status, subject) = (DispenseStatus::Completed, Pseudonym::new("P"));
        Some(Dispense { id, status, subject, owner, record }.into())
    }

    #[test]
    fn given_containers_then_those_that_no_dispense_has_are_removed() {
        let (mut dispenses, mut media) = (MockDeviceDispenses::new(), MockMediaStorage::new());
        // That of dispense 5 cannot be told from anybody's: its owner cannot be read.
        dispenses.expect_find().returning(|id| match id.uuid().as_u128() {
            5 => Err(StoreError::corrupt("device_dispenses", id, "performer_legal_entity")),
            _ => Ok(find(id)),
        });
        media.expect_list().returning(|_, _, _| Ok([1, 5, 2, 3, 4].map(key).into()));
        media.expect_delete().times(2).returning(|removed| {
            assert!([key(2), key(3)].contains(removed));
            Ok(())
        });
        let (swept, next) = block_on(sweep(dispenses, media).execute(day(), None, 6)).unwrap();
        assert_eq!((swept.removed, swept.unreadable, swept.seen, next), (2, 2, 5, None));
        assert!(swept.failure.is_none());
    }

    #[test]
    fn given_a_container_that_the_storage_refuses_to_remove_then_the_others_are_removed_and_it_is_told() {
        let (mut dispenses, mut media) = (MockDeviceDispenses::new(), MockMediaStorage::new());
        dispenses.expect_find().returning(|id| Ok(find(id)));
        media.expect_list().returning(|_, _, _| Ok([3, 5, 6].map(key).into()));
        media.expect_delete().times(3).returning(|removed| {
            if *removed == key(3) {
                Err(StoreError::new(StoreErrorKind::Unexpected, "removing"))
            } else {
                Ok(())
            }
        });
        let (swept, _) = block_on(sweep(dispenses, media).execute(day(), None, 6)).unwrap();
        assert_eq!((swept.removed, swept.seen), (2, 3));
        assert_eq!(swept.failure.unwrap().kind(), StoreErrorKind::Unexpected);
    }

    #[test]
    fn given_a_storage_that_is_away_then_the_sweep_ends() {
        let (mut dispenses, mut media) = (MockDeviceDispenses::new(), MockMediaStorage::new());
        dispenses.expect_find().returning(|id| Ok(find(id)));
        media.expect_list().returning(|_, _, _| Ok([3, 5, 6].map(key).into()));
        let away = |_: &MediaKey| Err(StoreError::new(StoreErrorKind::Unavailable, "removing"));
        media.expect_delete().times(1).returning(away);
        let failure = block_on(sweep(dispenses, media).execute(day(), None, 6)).unwrap_err();
        assert_eq!(failure.kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn given_a_full_page_then_the_next_goes_on_behind_it() {
        let (mut dispenses, mut media) = (MockDeviceDispenses::new(), MockMediaStorage::new());
        dispenses.expect_find().returning(|id| Ok(find(id)));
        media.expect_list().returning(|asked, after, limit| {
            assert_eq!((asked, after, limit), (day(), Some(key(0)), 1));
            Ok(vec![key(1)])
        });
        let (_, next) = block_on(sweep(dispenses, media).execute(day(), Some(key(0)), 1)).unwrap();
        assert_eq!(next, Some(key(1)));
    }

    #[test]
    fn given_today_then_only_days_that_are_over_for_a_day_are_swept() {
        let sweep = sweep(MockDeviceDispenses::new(), MockMediaStorage::new());
        assert!(sweep.days(0).is_empty());
        let days = sweep.days(3);
        assert_eq!(
            days.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-01-29", "2026-01-28", "2026-01-27"]
        );
    }
}
