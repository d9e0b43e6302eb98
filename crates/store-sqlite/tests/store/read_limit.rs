//! The time limit of reads that look into documents.

use diesel::connection::SimpleConnection as _;
use esoz_device_dispense::{DeviceDispenses, Filter, Search, SearchParameter};
use esoz_events::{Attribute, EventFilter, EventLog, Period};
use esoz_kernel::{LegalEntityId, PageRequest, StoreErrorKind};
use esoz_store_sqlite::{SqliteSettings, SqliteStore};
use esoz_testkit::builders::at_millis;

use crate::common::fresh;
use crate::shell;

const OWNER: &str = "00000000-0000-4000-8000-000000000001";

/// As many as no machine reads within a millisecond.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO device_dispenses (id, document) SELECT printf('%08d-0000-4000-8000-000000000000', i), json_object(
        'id', printf('%08d-0000-4000-8000-000000000000', i), 'status', 'in_progress', 'subject', printf('%064d', i),
        'inserted_at', '2026-01-31T08:15:30.123Z', 'when_handed_over', '2026-01-31T08:15:30.123Z',
        'performer_legal_entity', json_object('identifier', json_object('value', '00000000-0000-4000-8000-000000000001')))
    FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO event_log (event_id, json, attributes)
    SELECT printf('%08d-0000-4000-8000-000000000000', i), json_object('event_time', '2026-01-31T08:15:30.123Z',
        'event_type', 'StatusChangeEvent', 'entity_type', 'DeviceDispense'), json_object('status', 'stopped')
    FROM n";

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_takes_too_long_is_ended_and_unavailable() {
    // given
    let fresh = fresh();
    shell(&fresh.settings.path).batch_execute(FILL).unwrap();
    let impatient = SqliteSettings { read_timeout_ms: 1, max_connections: 1, ..fresh.settings.clone() };
    let impatient = SqliteStore::open(&impatient).unwrap();
    let patient = &fresh.store;
    let owned = Filter { owner: Some(LegalEntityId::new(OWNER.parse().unwrap())), ..Filter::default() };
    let parameter = SearchParameter::find("device_code").unwrap();
    let by_code = Search { parameter, value: parameter.parse("30221").unwrap() };
    let by_code = Filter { search: vec![by_code], ..owned.clone() };
    let period = Period::new(Some(at_millis(0)), None, 1, at_millis(0)).unwrap();
    let attribute = Attribute::new(Some("nothing".to_owned()), None).unwrap();
    let by_attribute = EventFilter { period, event_type: None, entity_type: None, attribute };
    // when, then
    let failed = DeviceDispenses::list(&impatient, &by_code, PageRequest::FIRST).await.unwrap_err();
    assert_eq!(failed.kind(), StoreErrorKind::Unavailable, "{}", failed.with_causes());
    assert!(
        failed.with_causes().ends_with("the read took longer than its time limit"),
        "{}",
        failed.with_causes()
    );
    let listed = DeviceDispenses::list(patient, &by_code, PageRequest::FIRST).await.unwrap();
    assert_eq!(listed.total_entries, 0);
    let failed = EventLog::list(&impatient, &by_attribute, PageRequest::FIRST).await.unwrap_err();
    assert_eq!(failed.kind(), StoreErrorKind::Unavailable, "{}", failed.with_causes());
    let listed = EventLog::list(patient, &by_attribute, PageRequest::FIRST).await.unwrap();
    assert_eq!(listed.total_entries, 0);
    // then: the only connection is free again, and a list that is found by an index is not limited
    let listed = DeviceDispenses::list(&impatient, &owned, PageRequest::FIRST).await.unwrap();
    assert_eq!(listed.total_entries, 20_000);
}
