use esoz_device_dispense::{Create, CreateRefusal, DeviceRequestRecord, Dispense, VerificationCode};
use esoz_kernel::{Put, Timestamp, Written};

use super::super::DispenseWriteStore;
use super::fixtures::{
    RACERS, create, create_at_once, created, idempotency, put_request, request_facts, waiting,
};
use crate::builders::{MAX_WRONG_CODES, at_millis, create_of, decide_create, device_request, dispense_of};

const HOUR: i64 = 3_600_000;

/// A request with the code 0420, stored.
async fn request_with_code(store: &DispenseWriteStore) -> DeviceRequestRecord {
    let mut record = device_request();
    record.facts.verification_code = VerificationCode::parse("0420");
    assert_eq!(put_request(store, &record).await, Put::Created);
    record
}

/// A create of a new dispense of the request, with that code.
fn create_with(request: &DeviceRequestRecord, code: Option<&str>, at: Timestamp) -> (Dispense, Create) {
    let dispense = dispense_of(&request.facts).build();
    let decide = decide_create(&dispense, code);
    let create = Create { decide, ..create_of(&dispense, request.facts.id, at) };
    (dispense, create)
}

async fn give(store: &DispenseWriteStore, request: &DeviceRequestRecord, code: Option<&str>, at: i64) {
    let (_, wrong) = create_with(request, code, at_millis(at));
    assert_eq!(create(store, &wrong).await, Written::Refused(CreateRefusal::WrongCode));
}

/// How many wrong codes count at that time, and the time of the oldest.
async fn counted(
    store: &DispenseWriteStore,
    request: &DeviceRequestRecord,
    at: i64,
) -> (u32, Option<Timestamp>) {
    let (_, asking) = create_with(request, None, at_millis(at));
    let facts = request_facts(store, &asking.query).await;
    (facts.wrong_codes, facts.oldest_wrong_code)
}

/// A wrong code counts, and nothing else is written; no other refusal counts, nor does the right code.
pub async fn only_a_wrong_code_counts(store: DispenseWriteStore) {
    let request = request_with_code(&store).await;
    let (dispense, wrong) = create_with(&request, Some("0421"), at_millis(1));
    assert_eq!(create(&store, &wrong).await, Written::Refused(CreateRefusal::WrongCode));
    assert!(store.dispenses.dispenses.find(dispense.id).await.unwrap().is_none());
    assert!(waiting(&store).await.is_empty());
    give(&store, &request, None, 2).await;
    let two = (2, Some(at_millis(1)));
    assert_eq!(counted(&store, &request, 3).await, two);
    for refusal in
        [CreateRefusal::RequestNotActive, CreateRefusal::TooManyCodes(7), CreateRefusal::ProgramMismatch]
    {
        let decided = refusal.clone();
        let (_, refused) = create_with(&request, None, at_millis(3));
        let refused = Create { decide: std::sync::Arc::new(move |_: &_| Err(decided.clone())), ..refused };
        assert_eq!(create(&store, &refused).await, Written::Refused(refusal));
    }
    assert_eq!(counted(&store, &request, 3).await, two);
    created(&store, &create_with(&request, Some("0420"), at_millis(4)).1).await;
    assert_eq!(counted(&store, &request, 5).await, two);
}

/// What is counted for one request does not count for another; two at the same instant are two.
pub async fn wrong_codes_count_for_their_request(store: DispenseWriteStore) {
    let (one, other) = (request_with_code(&store).await, request_with_code(&store).await);
    for _ in 0..2 {
        give(&store, &one, Some("0000"), 7).await;
    }
    assert_eq!(counted(&store, &one, 8).await, (2, Some(at_millis(7))));
    assert_eq!(counted(&store, &other, 8).await, (0, None));
}

/// After so many wrong codes no more are compared, not even the right one; and those that are not compared do not count.
pub async fn wrong_codes_are_counted_across_calls(store: DispenseWriteStore) {
    let request = request_with_code(&store).await;
    for at in 0..i64::from(MAX_WRONG_CODES) {
        give(&store, &request, Some("9999"), at).await;
    }
    for code in ["0420", "0000"] {
        let (dispense, refused) = create_with(&request, Some(code), at_millis(10));
        let outcome = create(&store, &refused).await;
        assert_eq!(outcome, Written::Refused(CreateRefusal::TooManyCodes(1)), "{code}");
        assert!(store.dispenses.dispenses.find(dispense.id).await.unwrap().is_none());
    }
    assert_eq!(counted(&store, &request, 11).await, (MAX_WRONG_CODES, Some(at_millis(0))));
}

/// A wrong code counts for an hour, to the millisecond.
pub async fn an_hour_later_a_wrong_code_is_free(store: DispenseWriteStore) {
    let request = request_with_code(&store).await;
    for at in 0..i64::from(MAX_WRONG_CODES) {
        give(&store, &request, Some("9999"), at).await;
    }
    let too_many = create_with(&request, Some("0420"), at_millis(HOUR - 1)).1;
    assert_eq!(create(&store, &too_many).await, Written::Refused(CreateRefusal::TooManyCodes(1)));
    assert_eq!(counted(&store, &request, HOUR).await, (MAX_WRONG_CODES - 1, Some(at_millis(1))));
    give(&store, &request, Some("9999"), HOUR).await;
    assert_eq!(counted(&store, &request, HOUR + 1).await, (MAX_WRONG_CODES - 1, Some(at_millis(2))));
    let (dispense, right) = create_with(&request, Some("0420"), at_millis(HOUR + 4));
    assert_eq!(counted(&store, &request, HOUR + 4).await, (1, Some(at_millis(HOUR))));
    assert_eq!(created(&store, &right).await, dispense);
}

/// Of 32 wrong codes at once so many are compared as may be, and the rest is told that they were too many.
pub async fn of_concurrent_wrong_codes_so_many_are_compared(store: DispenseWriteStore) {
    for _ in 0..3 {
        let request = request_with_code(&store).await;
        let attempts = (0..RACERS).map(|at| create_with(&request, Some("9999"), at_millis(at)).1);
        let outcomes = create_at_once(&store, attempts.collect()).await;
        let (compared, others): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|outcome| *outcome == Written::Refused(CreateRefusal::WrongCode));
        assert_eq!(compared.len(), usize::try_from(MAX_WRONG_CODES).unwrap());
        for other in others {
            assert_eq!(other, Written::Refused(CreateRefusal::TooManyCodes(1)));
        }
        assert_eq!(counted(&store, &request, RACERS).await.0, MAX_WRONG_CODES);
    }
}

/// A wrong code leaves the key free for the right one; a repetition of what was recorded compares no code.
pub async fn a_wrong_code_keeps_no_key(store: DispenseWriteStore) {
    let request = request_with_code(&store).await;
    let (dispense, wrong) = create_with(&request, Some("9999"), at_millis(1));
    let wrong = Create { idempotency: Some(idempotency("this")), ..wrong };
    assert_eq!(create(&store, &wrong).await, Written::Refused(CreateRefusal::WrongCode));
    let right = Create { decide: decide_create(&dispense, Some("0420")), ..wrong.clone() };
    assert_eq!(created(&store, &right).await, dispense);
    assert_eq!(create(&store, &wrong).await, Written::Replayed(dispense));
    assert_eq!(counted(&store, &request, 2).await, (1, Some(at_millis(1))));
}
