//! Sequences of operations on dispenses, drawn at random, on a store and on a model of it that a page holds: after each step the answers
//! and all that is stored must be the same. What it finds it makes small, and keeps (`*.regressions`) so that it is tried first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use esoz_auth::{Caller, Principal, Scope, authorize};
use esoz_device_dispense::{
    Dispense, DispenseStatus, PatientPseudonyms, Pseudonym, StopDispense, StopInput, Transition,
};
use esoz_events::{Claim, StatusChangeEvent};
use esoz_kernel::{
    Clock as _, Committed, IdempotencyKey, LegalEntityId, PatientId, Put, StoreError, Timestamp, UserId,
    Uuid, idempotency, system::RandomIds, time::to_millis,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities, LegalEntity, LegalEntityStatus, LegalEntityType};
use serde_json::{Value, json};

use super::DispenseStore;
use super::sequence_model::{Model, Told};
use super::sequence_steps::{Step, steps};
use crate::builders::{at_millis, change_of, dispense, fresh, request_id, user};
use crate::clock::ManualClock;
use crate::drawn::runner;

/// A field that no product knows.
const UNKNOWN_FIELD: &str = "written_by_others";

/// Plays that many sequences, each on a fresh store; see [`runner`].
///
/// # Panics
/// When store and model differ, with the shortest sequence that shows it.
pub fn every_sequence(cases: u32, source: &'static str, fresh: impl AsyncFn() -> DispenseStore) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let play = |steps: Vec<Step>| {
        runtime.block_on(async {
            let mut played = Played::on(fresh().await);
            for step in &steps {
                played.step(step).await;
                played.compare().await;
            }
        });
        Ok(())
    };
    if let Err(found) = runner(cases, source).run(&steps(), play) {
        panic!("{found}");
    }
}

struct Played {
    store: DispenseStore,
    stop: StopDispense,
    clock: Arc<ManualClock>,
    model: Model,
    relay: Uuid,
}

/// Every legal entity is there and active: what becomes of others is told elsewhere.
struct Everybody;

#[async_trait]
impl LegalEntities for Everybody {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        let kind = LegalEntityType::new("PHARMACY");
        Ok(Some(LegalEntity { id, kind, status: LegalEntityStatus::Active }))
    }
}

struct Plain;

impl PatientPseudonyms for Plain {
    fn of(&self, patient: PatientId) -> Pseudonym {
        Pseudonym::new(patient.uuid().simple().to_string().to_uppercase())
    }
}

impl Played {
    fn on(store: DispenseStore) -> Self {
        let clock = Arc::new(ManualClock::new(at_millis(0)));
        let stop = StopDispense {
            dispenses: store.dispenses.clone(),
            legal_entities: Arc::new(Everybody),
            allowed_types: AllowedTypes::default(),
            pseudonyms: Arc::new(Plain),
            clock: clock.clone(),
            ids: Arc::new(RandomIds),
        };
        Self { store, stop, clock, model: Model::new(), relay: fresh() }
    }

    fn now(&self) -> Timestamp {
        to_millis(self.clock.now())
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Stop { dispense, by_owner, of_patient, key } => {
                self.stop(dispense, by_owner, of_patient, key).await;
            }
            Step::Change { dispense, by_owner, from, to } => self.change(dispense, by_owner, from, to).await,
            Step::Load { dispense, status } => self.load(dispense, status).await,
            Step::WriteUnknown { dispense, number } => {
                let id = self.model.things[dispense].id;
                if let Some(stored) = self.model.stored.get_mut(&dispense) {
                    stored.unknown = Some(number);
                    self.store.raw.set_field(id, UNKNOWN_FIELD, json!(number)).await;
                }
            }
            Step::Wait { hours } => self.clock.advance(Duration::from_hours(hours.into())),
            Step::ForgetKeys => {
                let until = idempotency::expired_until(self.now());
                while self.store.keys.purge_expired(until, 10).await.unwrap() > 0 {}
            }
            Step::Deliver { entities } => self.deliver(entities).await,
        }
        // No two changes at one time, so that times tell them apart.
        self.clock.advance(Duration::from_millis(1));
    }

    async fn stop(&mut self, dispense: usize, by_owner: bool, of_patient: bool, key: Option<u8>) {
        let by = user();
        let client = self.model.thing(dispense, by_owner).owner;
        let patient = self.model.thing(dispense, of_patient).patient;
        let principal =
            Principal { user_id: by, client_id: client, scope: Scope::parse("device_dispense:stop") };
        let permit = authorize::<StopDispense>(&Caller { principal, api_key: None }).unwrap();
        let input = StopInput {
            patient_id: Some(patient),
            dispense_id: Some(self.model.things[dispense].id),
            request_id: request_id(),
            trace: None,
            idempotency_key: key.map(|key| IdempotencyKey::parse(&format!("key-{key}")).unwrap()),
        };
        let told = match self.stop.execute(&permit, input).await {
            Ok(dispense) => {
                let text = |field: &str| dispense.record[field].as_str().unwrap().to_owned();
                assert_eq!(text("status"), "stopped");
                Told::Stopped {
                    at: text("updated_at").parse().unwrap(),
                    by: text("updated_by").parse().unwrap(),
                }
            }
            Err(error) => Told::Refused(error.to_string()),
        };
        let (may_see, at) = (by_owner && of_patient, self.now());
        let expected = self.model.stop(dispense, (client, by), may_see, of_patient, key, at);
        assert_eq!(told, expected, "stopping dispense {dispense}");
    }

    async fn change(&mut self, dispense: usize, by_owner: bool, from: DispenseStatus, to: DispenseStatus) {
        let thing = &self.model.things[dispense];
        let expected = self::dispense()
            .id(thing.id)
            .owner(self.model.thing(dispense, by_owner).owner.into())
            .subject(Plain.of(thing.patient))
            .status(from)
            .build();
        let change: Transition = change_of(&expected, to, self.now());
        let changed = self.store.dispenses.commit(&change).await.unwrap();
        if self.model.change(dispense, by_owner, from, change) {
            assert!(matches!(changed, Committed::Applied(_)), "{changed:?}");
        } else {
            assert_eq!(changed, Committed::Stale);
        }
    }

    async fn load(&mut self, dispense: usize, status: DispenseStatus) {
        let thing = &self.model.things[dispense];
        let record: Dispense = self::dispense()
            .id(thing.id)
            .owner(thing.owner.into())
            .subject(Plain.of(thing.patient))
            .status(status)
            .build();
        let put = self.store.registry.put_dispenses(std::slice::from_ref(&record)).await.unwrap();
        let before = record.record["status_history"].as_array().unwrap().len();
        let is_new = self.model.load(dispense, status, before);
        assert_eq!(put, [if is_new { Put::Created } else { Put::Kept }]);
    }

    async fn deliver(&mut self, entities: u32) {
        let claim = Claim {
            by: self.relay,
            now: self.now(),
            lease: Duration::from_mins(1),
            max_entities: entities,
            except: Vec::new(),
        };
        let events = self.store.outbox.claim(&claim).await.unwrap().events;
        let mut of_each: BTreeMap<usize, Vec<StatusChangeEvent>> = BTreeMap::new();
        for event in &events {
            let dispense =
                self.model.things.iter().position(|thing| thing.id.uuid() == event.entity_id).unwrap();
            of_each.entry(dispense).or_default().push(event.clone());
        }
        let expected = self.model.waiting.len().min(usize::try_from(entities).unwrap());
        assert_eq!(of_each.len(), expected, "all that wait are handed out, of no more than {entities}");
        for (dispense, events) in of_each {
            let told = |events: &[StatusChangeEvent]| -> Vec<(String, Timestamp, UserId)> {
                events
                    .iter()
                    .map(|event| (event.new_status.clone(), event.event_time, event.changed_by))
                    .collect()
            };
            let waiting = self.model.waiting.remove(&dispense).unwrap();
            assert_eq!(told(&events), told(&waiting), "the events of dispense {dispense}");
        }
        let delivered: Vec<_> = events.iter().map(StatusChangeEvent::reference).collect();
        self.store.outbox.remove(&delivered).await.unwrap();
    }

    /// Everything that is stored is as the model has it.
    async fn compare(&self) {
        for (index, thing) in self.model.things.iter().enumerate() {
            let found = self.store.dispenses.find(thing.id).await.unwrap();
            let Some(stored) = self.model.stored.get(&index) else {
                assert!(found.is_none(), "dispense {index} was never loaded");
                continue;
            };
            let found = found.unwrap().dispense.unwrap();
            assert_eq!(found.status, stored.status, "dispense {index}");
            assert_eq!(found.owner, LegalEntityId::from(thing.owner));
            let history = found.record["status_history"].as_array().unwrap();
            let since = history[stored.before..].iter().map(|entry| {
                let text = |field: &str| entry[field].as_str().unwrap();
                let at: Timestamp = text("inserted_at").parse().unwrap();
                (text("status").parse().unwrap(), at, text("inserted_by").parse().unwrap())
            });
            assert_eq!(since.collect::<Vec<_>>(), stored.history, "dispense {index}");
            if let Some((_, at, by)) = stored.history.last() {
                let updated: Timestamp = found.record["updated_at"].as_str().unwrap().parse().unwrap();
                assert_eq!((updated, &found.record["updated_by"]), (*at, &json!(by.to_string())));
            }
            let document: Value = self.store.raw.document(thing.id).await;
            assert_eq!(document.get(UNKNOWN_FIELD).and_then(Value::as_i64), stored.unknown.map(i64::from));
        }
        let backlog = self.store.outbox.backlog().await.unwrap();
        let waiting: usize = self.model.waiting.values().map(Vec::len).sum();
        assert_eq!(backlog.depth, u64::try_from(waiting).unwrap());
    }
}
