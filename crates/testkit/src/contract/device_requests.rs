//! Loading and scanning device requests: [`Registry`](esoz_registries::Registry) of
//! [`DeviceRequestRecord`].

use esoz_device_dispense::{
    DeviceRequestRecord, DeviceRequestStatus, OccurrencePeriod, Pseudonym, RequestQuery, RequestedDevice,
    RequestedQuantity, VerificationCode,
};
use esoz_kernel::{
    CivilDate, DeviceDefinitionId, DispenseId, MedicalProgramId, Put, Stamps, StoreError, StoreErrorKind,
    Timestamp, time::to_millis,
};

use super::DispenseWriteStore;
use super::dispense_writes::fixtures::put_request;
use super::scans::all_pages;
use crate::builders::{at_micros, device_request, fresh, user};

type Edit = Box<dyn Fn(&mut DeviceRequestRecord) + Send + Sync>;

async fn scan(store: &DispenseWriteStore, limit: u32) -> Vec<Result<DeviceRequestRecord, StoreError>> {
    all_pages(limit, |after, limit| store.requests.scan(after, limit)).await
}

/// That many requests, stored, in the order of their ids.
async fn stored(store: &DispenseWriteStore, count: usize) -> Vec<DeviceRequestRecord> {
    let mut all: Vec<_> = (0..count).map(|_| device_request()).collect();
    assert_eq!(store.requests.put(&all).await.unwrap(), vec![Put::Created; count]);
    all.sort_unstable_by_key(|record| record.facts.id);
    all
}

/// The record is found by a rule and by a scan as it was put.
async fn assert_stored(store: &DispenseWriteStore, expected: &DeviceRequestRecord) {
    let query = RequestQuery {
        request: expected.facts.id,
        id: DispenseId::new(fresh()),
        active_since: None,
        codes_since: Timestamp::MIN,
    };
    let found = store.writes.request_facts(&query).await.unwrap().request;
    assert_eq!(found.as_ref(), Some(&expected.facts));
    let scanned: Vec<_> = scan(store, 10).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(scanned, std::slice::from_ref(expected));
}

/// Every field in every state comes back as it went in, and loading the same again changes nothing.
pub async fn a_device_request_takes_new_content(store: DispenseWriteStore) {
    let day = |text: &str| -> CivilDate { text.parse().unwrap() };
    let quantity = |value: &str| {
        Some(RequestedQuantity { value: value.parse().unwrap(), code: "ампула".to_owned() })
    };
    let mut record = device_request();
    assert_eq!(put_request(&store, &record).await, Put::Created);
    assert_stored(&store, &record).await;
    let changes: Vec<Edit> = vec![
        Box::new(|record| record.facts.status = DeviceRequestStatus::Completed),
        Box::new(|record| record.facts.status = DeviceRequestStatus::Revoked),
        Box::new(|record| record.facts.status = DeviceRequestStatus::EnteredInError),
        Box::new(|record| record.facts.status = DeviceRequestStatus::Active),
        Box::new(|record| record.facts.subject = Pseudonym::new("ANOTHER")),
        Box::new(|record| record.facts.intent.push_str("план 'ї\"\\")),
        Box::new(|record| record.facts.program = None),
        Box::new(|record| record.facts.program = Some(MedicalProgramId::new(fresh()))),
        Box::new(|record| {
            record.facts.device = RequestedDevice::Definition(DeviceDefinitionId::new(fresh()));
        }),
        Box::new(|record| record.facts.device = RequestedDevice::Type("Тип".to_owned())),
        Box::new(move |record| record.facts.quantity = quantity("0.000000000000000000000000000001")),
        Box::new(move |record| record.facts.quantity = quantity("123456789012345678901234567890")),
        Box::new(|record| record.facts.quantity = None),
        Box::new(move |record| {
            let (start, end) = (day("0000-01-01"), day("9999-12-31"));
            record.facts.occurrence_period = Some(OccurrencePeriod { start, end });
        }),
        Box::new(|record| record.facts.occurrence_period = None),
        Box::new(move |record| record.facts.dispense_valid_to = day("9999-12-31")),
        Box::new(|record| record.facts.verification_code = VerificationCode::parse("0042")),
        Box::new(|record| record.facts.verification_code = VerificationCode::parse("4200")),
        Box::new(|record| record.facts.verification_code = None),
        Box::new(|record| record.stamps.updated_by = user()),
    ];
    for (place, change) in changes.iter().enumerate() {
        change(&mut record);
        assert_eq!(put_request(&store, &record).await, Put::Updated, "change {place}");
        assert_stored(&store, &record).await;
        assert_eq!(put_request(&store, &record).await, Put::Kept, "change {place}");
    }
}

/// Who loaded a request first, and when, stays; times have milliseconds.
pub async fn the_first_writing_of_a_request_stays(store: DispenseWriteStore) {
    let mut record = device_request();
    record.stamps.updated_at = at_micros(5_999);
    let first = record.stamps;
    assert_eq!(put_request(&store, &record).await, Put::Created);
    let updated_at = to_millis(first.updated_at);
    assert_stored(&store, &DeviceRequestRecord { stamps: Stamps { updated_at, ..first }, ..record.clone() })
        .await;
    assert_eq!(put_request(&store, &record).await, Put::Kept);
    record.stamps = Stamps {
        inserted_at: at_micros(1_000_000),
        inserted_by: user(),
        updated_at: at_micros(2_000_000),
        updated_by: user(),
    };
    assert_eq!(put_request(&store, &record).await, Put::Updated);
    let Stamps { inserted_at, inserted_by, .. } = first;
    let updated_at = to_millis(record.stamps.updated_at);
    record.stamps = Stamps { inserted_at, inserted_by, updated_at, ..record.stamps };
    assert_stored(&store, &record).await;
}

/// In a call of many each has its own answer; the last content of one that comes again counts. The same number in another spelling is the same.
pub async fn each_of_many_requests_has_its_answer(store: DispenseWriteStore) {
    assert_eq!(store.requests.put(&[]).await.unwrap(), []);
    let (one, other) = (device_request(), device_request());
    let mut again = one.clone();
    again.facts.intent.push_str(" of another intent");
    let mut same = other.clone();
    let value = "3.00".parse().unwrap();
    same.facts.quantity = Some(RequestedQuantity { value, code: "piece".to_owned() });
    let answers = store.requests.put(&[one.clone(), other.clone(), again.clone(), same]).await.unwrap();
    assert_eq!(answers, [Put::Created, Put::Created, Put::Updated, Put::Kept]);
    let mut expected = [again, other];
    expected.sort_unstable_by_key(|record| record.facts.id);
    let scanned: Vec<_> = scan(&store, 10).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(scanned, expected);
    let many: Vec<_> = (0..550).map(|_| device_request()).collect();
    assert_eq!(store.requests.put(&many).await.unwrap(), vec![Put::Created; many.len()]);
    assert_eq!(store.requests.put(&many).await.unwrap(), vec![Put::Kept; many.len()]);
}

/// A scan of nothing is empty; whatever the size of a page, every request comes once, in the order of ids.
pub async fn pages_of_requests_are_in_order_and_complete(store: DispenseWriteStore) {
    assert!(scan(&store, 10).await.is_empty());
    let all = stored(&store, 23).await;
    for limit in [1, 2, 7, 22, 23, 24, 1_000] {
        let scanned: Vec<_> = scan(&store, limit).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(scanned, all, "in pages of {limit}");
    }
}

/// A request that cannot be read is an error in its place, named by place, id and field.
pub async fn a_request_that_cannot_be_read_is_an_error_in_its_place(store: DispenseWriteStore) {
    let all = stored(&store, 5).await;
    for broken in [1, 4] {
        store.raw_requests.make_unreadable(all[broken].facts.id).await;
    }
    for limit in [1, 2, 100] {
        let scanned = scan(&store, limit).await;
        assert_eq!(scanned.len(), all.len(), "in pages of {limit}");
        for (place, (scanned, expected)) in scanned.into_iter().zip(&all).enumerate() {
            match scanned {
                Ok(scanned) if ![1, 4].contains(&place) => assert_eq!(scanned, *expected),
                Err(error) if [1, 4].contains(&place) => {
                    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
                    for part in ["device_requests", &expected.facts.id.to_string(), "status"] {
                        assert!(error.to_string().contains(part), "{error} does not name {part}");
                    }
                }
                other => panic!("{other:?} in place {place}"),
            }
        }
    }
}
