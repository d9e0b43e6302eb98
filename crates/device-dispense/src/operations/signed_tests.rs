//! What the changes by a signed document share, on both of them.

use std::sync::Mutex;

use esoz_kernel::{StoreErrorKind, Timestamp, Uuid};
use esoz_legal_entity::{LegalEntity, LegalEntityStatus, LegalEntityType, MockLegalEntities};
use esoz_registries::{MockRegistries, Party};
use esoz_signed_content::{
    Container, Drfo, DrfoDigest, MockDrfoDigests, MockMediaStorage, MockSignatureVerifier, Signer,
};
use pollster::block_on;
use serde_json::{Value, json};

use super::super::fixtures::{FixedCalendar, FixedClock, FixedIds, permit};
use super::*;
use crate::{
    CompleteDispense, CompleteError, DispenseStatus, MarkDispenseInError, MarkInErrorError,
    MockDispenseWrites, MockPatientPseudonyms, NotVisible, Pseudonym, StoredDispense,
};

const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));
const USER: UserId = UserId::new(Uuid::from_u128(7));
const ID: DispenseId = DispenseId::new(Uuid::from_u128(1));

fn input(key: Option<&str>) -> SignedInput {
    SignedInput {
        patient_id: Some(PatientId::new(Uuid::from_u128(3))),
        dispense_id: Some(ID),
        container: b"container".to_vec(),
        request_id: RequestId::from_uuid(Uuid::from_u128(23)),
        trace: None,
        idempotency_key: key.and_then(IdempotencyKey::parse),
    }
}

/// A dispense without a program, so that little must be signed.
fn dispense(status: DispenseStatus) -> Dispense {
    let Value::Object(record) = json!({"status": status.as_str(), "inserted_by": USER.to_string()}) else {
        unreachable!()
    };
    Dispense {
        id: ID,
        status,
        subject: Pseudonym::new("P"),
        owner: LegalEntityId::new(Uuid::from_u128(2)),
        record,
    }
}

/// What is signed to mark it in error.
fn content() -> Value {
    let patient = json!({
        "identifier": {
            "type": {"coding": [{"system": "eHealth/resources", "code": "patient"}]},
            "value": Uuid::from_u128(3).to_string(),
        },
    });
    let reason = json!({"coding": [{"system": "s", "code": "duplicate"}]});
    json!({"id": ID.to_string(), "subject": patient, "status": "entered_in_error", "status_reason": reason})
}

struct Ports {
    verified: Result<Container, &'static str>,
    party: Option<Party>,
    found: Option<DispenseStatus>,
    owner: u128,
    writes: MockDispenseWrites,
    media: MockMediaStorage,
}

impl Ports {
    /// Ports of which nothing is wrong; what is written and kept is for the test to expect.
    fn new() -> Self {
        let signer = Signer { verdict: Ok(()), drfo: Drfo::parse("123"), edrpou: None };
        let drfo = Some(DrfoDigest::new("digest"));
        Self {
            verified: Ok(Container { content: content().to_string().into_bytes(), signers: vec![signer] }),
            party: Some(Party { id: esoz_kernel::PartyId::new(Uuid::nil()), drfo }),
            found: Some(DispenseStatus::InProgress),
            owner: 2,
            writes: MockDispenseWrites::new(),
            media: MockMediaStorage::new(),
        }
    }

    fn ports(self) -> SignedPorts {
        let Self { verified, party, found, owner, mut writes, media } = self;
        let mut verifier = MockSignatureVerifier::new();
        verifier.expect_verify().returning(move |container| {
            assert_eq!(container, b"container");
            Ok(verified.clone())
        });
        let mut registries = MockRegistries::new();
        registries.expect_party().returning(move |_| Ok(party.clone()));
        let mut digests = MockDrfoDigests::new();
        digests.expect_of().returning(|_| DrfoDigest::new("digest"));
        let mut legal_entities = MockLegalEntities::new();
        legal_entities.expect_find().returning(|id| {
            Ok(Some(LegalEntity {
                id,
                kind: LegalEntityType::new("PHARMACY"),
                status: LegalEntityStatus::Active,
            }))
        });
        let mut pseudonyms = MockPatientPseudonyms::new();
        pseudonyms.expect_of().returning(|_| Pseudonym::new("P"));
        writes.expect_facts().returning(move |_| {
            let stored = found.map(|status| {
                let owner = LegalEntityId::new(Uuid::from_u128(owner));
                StoredDispense::from(Dispense { owner, ..dispense(status) })
            });
            Ok(DispenseFacts { stored, ..DispenseFacts::default() })
        });
        SignedPorts {
            writes: Arc::new(writes),
            registries: Arc::new(registries),
            legal_entities: Arc::new(legal_entities),
            allowed_types: AllowedTypes::default(),
            pseudonyms: Arc::new(pseudonyms),
            digests: Arc::new(digests),
            verifier: Arc::new(verifier),
            media: Arc::new(media),
            clock: Arc::new(FixedClock),
            calendar: Arc::new(FixedCalendar),
            ids: Arc::new(FixedIds),
        }
    }

    fn mark(self, key: Option<&str>) -> Result<Dispense, MarkInErrorError> {
        let operation = MarkDispenseInError { ports: self.ports(), reasons: ["duplicate".to_owned()].into() };
        block_on(operation.execute(&permit(USER, CLIENT), input(key)))
    }

    fn complete(self) -> Result<Dispense, CompleteError> {
        let operation = CompleteDispense { ports: self.ports(), is_author_required: true };
        block_on(operation.execute(&permit(USER, CLIENT), input(None)))
    }
}

/// Media storage that keeps the container, and says in which order things happened.
fn keeping(media: &mut MockMediaStorage, log: &Arc<Mutex<Vec<&'static str>>>, is_removed: bool) {
    let put = Arc::clone(log);
    media.expect_put().once().returning(move |key, container| {
        assert_eq!((key.dispense(), container), (ID, &b"container"[..]));
        put.lock().unwrap().push("kept");
        Ok(())
    });
    let removed = Arc::clone(log);
    media.expect_delete().times(usize::from(is_removed)).returning(move |_| {
        removed.lock().unwrap().push("removed");
        Ok(())
    });
}

#[test]
fn given_nothing_wrong_then_the_container_is_kept_before_the_change_commits() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut ports = Ports::new();
    keeping(&mut ports.media, &log, false);
    let written = Arc::clone(&log);
    ports.writes.expect_change().once().returning(move |change| {
        written.lock().unwrap().push("changed");
        let stored = Some(StoredDispense::from(dispense(DispenseStatus::InProgress)));
        let update = (change.decide)(DispenseFacts { stored, ..DispenseFacts::default() }).unwrap().unwrap();
        assert!(update.link.parse::<MediaKey>().is_ok());
        assert_eq!((update.to, update.event.entity_id), (DispenseStatus::EnteredInError, ID.uuid()));
        Ok(Written::Applied(dispense(DispenseStatus::EnteredInError)))
    });
    assert_eq!(ports.mark(None).unwrap().status, DispenseStatus::EnteredInError);
    assert_eq!(*log.lock().unwrap(), ["kept", "changed"]);
}

/// Advances by a second each time that it is read.
#[derive(Default)]
struct AdvancingClock(Mutex<i64>);

impl Clock for AdvancingClock {
    fn now(&self) -> Timestamp {
        let mut second = self.0.lock().unwrap();
        *second += 1;
        Timestamp::constant(1_769_847_330 + *second, 0)
    }
}

#[test]
fn given_a_decision_made_anew_then_it_is_later_than_what_was_written_since_the_first() {
    let mut ports = Ports::new();
    keeping(&mut ports.media, &Arc::default(), false);
    ports.writes.expect_change().once().returning(|change| {
        let (_, first) = change.decided.clone().unwrap();
        let stored = Some(StoredDispense::from(dispense(DispenseStatus::Stopped)));
        let anew = (change.decide)(DispenseFacts { stored, ..DispenseFacts::default() }).unwrap().unwrap();
        assert!(change.at < first.at() && first.at() < anew.at(), "{:?}", [change.at, first.at(), anew.at()]);
        Ok(Written::Applied(dispense(DispenseStatus::EnteredInError)))
    });
    let ports = SignedPorts { clock: Arc::<AdvancingClock>::default(), ..ports.ports() };
    let operation = MarkDispenseInError { ports, reasons: ["duplicate".to_owned()].into() };
    assert!(block_on(operation.execute(&permit(USER, CLIENT), input(None))).is_ok());
}

/// What a store answers.
type Outcome = Box<dyn Fn() -> Result<Written<Dispense, ChangeRefusal>, StoreError> + Send>;

#[test]
fn given_a_change_that_did_not_take_effect_then_the_container_is_removed_unless_that_is_unknown() {
    let conflict = |kind| move || Err(StoreError::new(kind, "testing"));
    let outcomes: [(Outcome, bool); 6] = [
        (Box::new(|| Ok(Written::Replayed(dispense(DispenseStatus::EnteredInError)))), true),
        (Box::new(|| Ok(Written::KeyReused)), true),
        (Box::new(|| Ok(Written::Refused(ChangeRefusal::Mismatch("details")))), true),
        (Box::new(conflict(StoreErrorKind::Conflict)), true),
        (Box::new(conflict(StoreErrorKind::Corrupt)), true),
        (Box::new(conflict(StoreErrorKind::Unavailable)), false),
    ];
    for (outcome, is_removed) in outcomes {
        let mut ports = Ports::new();
        keeping(&mut ports.media, &Arc::default(), is_removed);
        ports.writes.expect_change().once().returning(move |_| outcome());
        drop(ports.mark(None));
    }
}

#[test]
fn given_a_refusal_then_nothing_is_kept_and_without_a_key_nothing_is_written() {
    let mut ports = Ports::new();
    ports.found = Some(DispenseStatus::Completed);
    let refused = ports.mark(None).unwrap_err();
    let expected = ChangeRefusal::CannotBeMarkedInError(DispenseStatus::Completed);
    assert!(matches!(refused, MarkInErrorError::Refused(refusal) if refusal == expected));
}

#[test]
fn given_a_refusal_under_a_key_then_the_first_answer_is_looked_for_and_nothing_can_commit() {
    let mut ports = Ports::new();
    ports.found = Some(DispenseStatus::EnteredInError);
    ports.writes.expect_change().once().returning(|change| {
        assert!(change.idempotency.is_some());
        // Even if the dispense could be marked by now: its container was not kept.
        let stored = Some(StoredDispense::from(dispense(DispenseStatus::InProgress)));
        assert!((change.decide)(DispenseFacts { stored, ..DispenseFacts::default() }).unwrap().is_err());
        Ok(Written::Replayed(dispense(DispenseStatus::EnteredInError)))
    });
    assert_eq!(ports.mark(Some("key")).unwrap().status, DispenseStatus::EnteredInError);
}

#[test]
fn given_a_media_storage_that_is_away_then_nothing_is_written() {
    let mut ports = Ports::new();
    ports.media.expect_put().returning(|_, _| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
    assert!(matches!(ports.mark(None), Err(MarkInErrorError::Store(_))));
}

#[test]
fn given_a_dispense_of_somebody_else_then_its_owner_is_asked_for_before_the_signature_when_it_is_marked() {
    let strange = || Ports { owner: 66, verified: Err("altered"), ..Ports::new() };
    let why = NotVisible::OtherLegalEntity;
    assert!(
        matches!(strange().mark(None), Err(MarkInErrorError::Refused(ChangeRefusal::NotFound(found))) if found == why)
    );
    assert!(matches!(strange().complete(), Err(CompleteError::Document(DocumentError::Container(_)))));
    let unknown = Ports { found: None, verified: Err("altered"), ..Ports::new() };
    assert!(matches!(
        unknown.mark(None),
        Err(MarkInErrorError::Refused(ChangeRefusal::NotFound(NotVisible::Unknown)))
    ));
}

#[test]
fn given_a_signer_who_is_not_the_user_then_the_document_is_refused() {
    for party in [None, Some(Party { id: esoz_kernel::PartyId::new(Uuid::nil()), drfo: None })] {
        let ports = Ports { party, ..Ports::new() };
        assert!(matches!(ports.mark(None), Err(MarkInErrorError::Document(DocumentError::Signer(_)))));
    }
    let mut ports = Ports::new();
    if let Ok(container) = &mut ports.verified {
        container.signers[0].drfo = None;
    }
    assert!(matches!(ports.mark(None), Err(MarkInErrorError::Document(DocumentError::Signer(_)))));
}
