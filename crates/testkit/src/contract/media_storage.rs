//! Keeping signed containers: [`MediaStorage`](esoz_signed_content::MediaStorage).

use std::sync::Arc;

use esoz_kernel::{CivilDate, DispenseId, StoreErrorKind, Uuid};
use esoz_signed_content::MediaKey;
use jiff::civil::date;

use super::MediaStorageUnderTest;
use super::race::all_at_once;
use crate::builders::fresh;

const DAY: CivilDate = date(2026, 1, 31);

fn key() -> MediaKey {
    MediaKey::new(DAY, DispenseId::new(fresh()), fresh())
}

/// Several keys of a day, of dispenses with one or two containers, in ascending order.
fn keys_of(day: CivilDate, dispenses: u128) -> Vec<MediaKey> {
    let of_dispense = |dispense: u128| {
        // Far apart, so that an order by anything but all of the id is another one.
        let id = DispenseId::new(Uuid::from_u128(
            dispense.wrapping_mul(0x5851_F42D_4C95_7F2D_1405_7B7E_F767_814F),
        ));
        (0..=dispense % 2).map(move |_| MediaKey::new(day, id, fresh()))
    };
    let mut keys: Vec<MediaKey> = (0..dispenses).flat_map(of_dispense).collect();
    keys.sort_unstable();
    keys
}

impl MediaStorageUnderTest {
    async fn store(&self, keys: &[MediaKey]) {
        // From the end, so that the order of storing is not that of the keys.
        for key in keys.iter().rev() {
            self.storage.put(key, key.to_string().as_bytes()).await.unwrap();
        }
    }
}

/// Nothing, every value of a byte, and as much as a request may carry.
pub async fn a_container_is_read_byte_for_byte(under_test: MediaStorageUnderTest) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for container in [Vec::new(), every_byte.clone(), every_byte.repeat(4_096)] {
        let key = key();
        under_test.storage.put(&key, &container).await.unwrap();
        let found = under_test.storage.get(&key).await.unwrap();
        assert!(found.as_ref() == Some(&container), "of {} bytes", container.len());
    }
}

/// In an empty storage, and beside others of the same day and dispense.
pub async fn an_unknown_container_is_none(under_test: MediaStorageUnderTest) {
    let key = key();
    assert_eq!(under_test.storage.get(&key).await.unwrap(), None);
    under_test.storage.put(&key, b"stored").await.unwrap();
    let other = MediaKey::new(DAY, key.dispense(), fresh());
    assert_eq!(under_test.storage.get(&other).await.unwrap(), None);
}

/// Whether the content is another or the same.
pub async fn a_taken_key_is_not_overwritten(under_test: MediaStorageUnderTest) {
    let key = key();
    under_test.storage.put(&key, b"first").await.unwrap();
    for second in [b"other", b"first"] {
        let refused = under_test.storage.put(&key, second).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unexpected, "{}", refused.with_causes());
    }
    assert_eq!(under_test.storage.get(&key).await.unwrap().unwrap(), b"first");
}

/// It is neither found nor listed, and the others stay.
pub async fn a_deleted_container_is_gone(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 4);
    under_test.store(&keys).await;
    under_test.storage.delete(&keys[1]).await.unwrap();
    assert_eq!(under_test.storage.get(&keys[1]).await.unwrap(), None);
    let others: Vec<MediaKey> = keys.iter().filter(|key| **key != keys[1]).cloned().collect();
    assert_eq!(under_test.storage.list(DAY, None, 100).await.unwrap(), others);
}

/// And neither is deleting what never was.
pub async fn deleting_twice_is_no_error(under_test: MediaStorageUnderTest) {
    let key = key();
    under_test.storage.delete(&key).await.unwrap();
    under_test.storage.put(&key, b"stored").await.unwrap();
    under_test.storage.delete(&key).await.unwrap();
    under_test.storage.delete(&key).await.unwrap();
    assert_eq!(under_test.storage.get(&key).await.unwrap(), None);
}

/// A dispense that is completed and then marked has two.
pub async fn containers_of_one_dispense_are_kept_apart(under_test: MediaStorageUnderTest) {
    let (first, dispense) = (key(), DispenseId::new(fresh()));
    let second = MediaKey::new(DAY, dispense, fresh());
    let third = MediaKey::new(date(2026, 2, 1), dispense, fresh());
    for (key, container) in [(&first, b"1"), (&second, b"2"), (&third, b"3")] {
        under_test.storage.put(key, container).await.unwrap();
    }
    for (key, container) in [(first, b"1"), (second, b"2"), (third, b"3")] {
        assert_eq!(under_test.storage.get(&key).await.unwrap().unwrap(), container);
    }
}

/// A day without containers.
pub async fn a_list_of_nothing_is_empty(under_test: MediaStorageUnderTest) {
    assert_eq!(under_test.storage.list(DAY, None, 10).await.unwrap(), []);
    assert_eq!(under_test.storage.list(DAY, Some(key()), 10).await.unwrap(), []);
}

/// Whatever the order in which they were stored.
pub async fn a_list_is_in_ascending_order(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 20);
    under_test.store(&keys).await;
    assert_eq!(under_test.storage.list(DAY, None, 100).await.unwrap(), keys);
    assert_eq!(under_test.storage.list(DAY, None, keys.len()).await.unwrap(), keys);
}

/// Of any size, also when a page ends between two containers of a dispense.
pub async fn pages_are_in_order_and_complete(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 8);
    under_test.store(&keys).await;
    for limit in 1..=keys.len() + 1 {
        let mut listed: Vec<MediaKey> = Vec::new();
        loop {
            let page = under_test.storage.list(DAY, listed.last().cloned(), limit).await.unwrap();
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            let is_last = page.len() < limit;
            listed.extend(page);
            assert!(listed.len() <= keys.len(), "some are listed twice in pages of {limit}");
            if is_last {
                break;
            }
        }
        assert_eq!(listed, keys, "in pages of {limit}");
    }
    assert_eq!(under_test.storage.list(DAY, None, 0).await.unwrap(), []);
}

/// Not those of the days around it.
pub async fn a_list_has_its_day_alone(under_test: MediaStorageUnderTest) {
    let days = [date(2026, 1, 30), DAY, date(2026, 2, 1), date(2026, 2, 10)];
    let of_days = days.map(|day| keys_of(day, 3));
    for keys in &of_days {
        under_test.store(keys).await;
    }
    for (day, keys) in days.into_iter().zip(of_days) {
        assert_eq!(under_test.storage.list(day, None, 100).await.unwrap(), keys, "{day}");
    }
}

/// One of an earlier day is before all, one of a later day behind all; one that is not there has its place.
pub async fn a_list_begins_behind_a_key_of_any_day(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 5);
    under_test.store(&keys).await;
    let listed = async |after: MediaKey| under_test.storage.list(DAY, Some(after), 100).await.unwrap();
    let last = Uuid::from_u128(u128::MAX);
    assert_eq!(listed(MediaKey::new(date(2026, 1, 30), DispenseId::new(last), last)).await, keys);
    assert_eq!(listed(MediaKey::new(date(2026, 2, 1), DispenseId::new(Uuid::nil()), Uuid::nil())).await, []);
    let behind_its_dispense = MediaKey::new(DAY, keys[0].dispense(), last);
    let later: Vec<MediaKey> =
        keys.iter().filter(|key| key.dispense() != keys[0].dispense()).cloned().collect();
    assert_eq!(listed(behind_its_dispense).await, later);
}

/// What somebody else has put there is neither listed nor counted.
pub async fn foreign_names_are_passed_over(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 4);
    under_test.store(&keys).await;
    let dispense = keys[0].dispense();
    for name in [
        "note",
        "2026-01-31/note",
        "2026-01-31/.hidden/note",
        &format!("2026-01-31/{dispense}/note"),
        &format!("2026-01-31/{dispense}/{}.part", fresh()),
        &format!("2026-01-31/{}", fresh()),
        &format!("2026-01-31/{}/{}/more", fresh(), fresh()),
        &format!("2026-01-31/{}/{}", fresh().simple(), fresh()),
        &format!("2026-01-31x/{}/{}", fresh(), fresh()),
    ] {
        under_test.raw.put(name).await;
    }
    assert_eq!(under_test.storage.list(DAY, None, 100).await.unwrap(), keys);
    assert_eq!(under_test.storage.list(DAY, None, keys.len()).await.unwrap(), keys);
    assert_eq!(under_test.storage.list(DAY, Some(keys[0].clone()), 2).await.unwrap(), keys[1..3]);
}

/// The others are refused, and what is stored is what the one was told is stored.
pub async fn of_concurrent_puts_of_one_key_one_is_stored(under_test: MediaStorageUnderTest) {
    for _ in 0..8 {
        let key = key();
        let put = |number: u8| {
            let (storage, key) = (Arc::clone(&under_test.storage), key.clone());
            // Long enough for a half-written one to be seen.
            async move { storage.put(&key, &vec![number; 100_000]).await }
        };
        let outcomes = all_at_once((0..8).map(put)).await;
        let mut stored = (0_u8..).zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
        let (winner, _) = stored.next().unwrap();
        assert!(stored.next().is_none(), "two were told that theirs is stored");
        assert!(under_test.storage.get(&key).await.unwrap().unwrap() == vec![winner; 100_000]);
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.kind(), StoreErrorKind::Unexpected, "{}", refused.with_causes());
        }
    }
}

/// Of one day, some of the same dispense.
pub async fn concurrent_puts_of_many_are_all_stored(under_test: MediaStorageUnderTest) {
    let keys = keys_of(DAY, 40);
    let put = |key: MediaKey| {
        let storage = Arc::clone(&under_test.storage);
        async move { storage.put(&key, key.to_string().as_bytes()).await }
    };
    for outcome in all_at_once(keys.iter().cloned().map(put)).await {
        outcome.unwrap();
    }
    assert_eq!(under_test.storage.list(DAY, None, 100).await.unwrap(), keys);
    for key in keys {
        assert_eq!(under_test.storage.get(&key).await.unwrap().unwrap(), key.to_string().as_bytes());
    }
}
