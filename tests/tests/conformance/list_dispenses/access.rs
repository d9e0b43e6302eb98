//! L01, L02 and L11: who sees which dispenses.

use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{NewAccessToken, Scope};
use esoz_device_dispense::{Access, PatientAccess};
use esoz_kernel::{ClientId, LegalEntityId, PatientId, StoreError, UserId};
use esoz_testkit::builders::{fresh, legal_entity};
use esoz_tests::{Setup, client_of, on_every_store, secret_scan};
use serde_json::Value;

use super::{Reader, ids, of_patient, paging};
use crate::dispense_reader::READ;
use crate::tokens::every_wrong_token;

/// Lets nobody see anything of a patient.
struct Refusing;

#[async_trait]
impl PatientAccess for Refusing {
    async fn access(&self, _: UserId, _: ClientId, _: PatientId) -> Result<Access, StoreError> {
        Ok(Access::Denied)
    }
}

on_every_store! {
    async fn l01_token_and_scope(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        let mut stored = fixture.stored_token.clone();
        stored.scope = Scope::parse(READ);
        let stop_alone = fixture.issue(app, |token| token.scope = Scope::parse("device_dispense:stop")).await;
        let message = "Your scope does not allow to access this resource. Missing allowances: device_dispense:read";
        for path in reader.paths() {
            every_wrong_token(app, &stored, &reader.token, || reader.request(&path)).await;
            let answer = reader.request(&format!("{path}?page=0")).token(&stop_alone).send().await;
            answer.assert_error(403, "forbidden", message);
            assert_eq!(reader.get(&path).await.status, 200);
        }
    }

    async fn l02_own_only(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        reader.put(|foreign| foreign.owner(LegalEntityId::new(fresh()))).await;
        reader.assert_both("", &[&fixture.dispense]).await;

        let nobody = legal_entity().facts.id;
        let change = |token: &mut NewAccessToken| {
            token.client_id = client_of(nobody);
            token.scope = Scope::parse(READ);
        };
        let token = fixture.issue(app, change).await;
        for path in reader.paths() {
            let answer = reader.request(&path).token(&token).send().await;
            answer.assert_list(&[], &paging(1, 50, 0, 1));
        }
    }

    async fn l11_of_a_patient(kind) {
        let reader = Reader::new(kind).await;
        reader.put(|foreign| foreign.owner(LegalEntityId::new(fresh()))).await;
        let shown = [reader.fixture.shown(&reader.fixture.dispense)];
        reader.list_of_patient("").await.assert_list(&shown, &paging(1, 50, 1, 1));
        reader.get(&of_patient(&fresh().to_string())).await.assert_list(&[], &paging(1, 50, 0, 1));
        let upper = of_patient(&reader.fixture.patient.uuid().to_string().to_uppercase());
        assert_eq!(ids(&reader.get(&upper).await), [reader.fixture.dispense.id.to_string()]);
        for nobody in ["42", "nobody"] {
            reader.get(&of_patient(nobody)).await.assert_not_found();
            // A fault of the query comes first.
            let answer = reader.get(&format!("{}?page=0", of_patient(nobody))).await;
            answer.assert_query_faults(&[("$.page", "number")]);
        }
    }

    async fn l11_of_every_legal_entity(kind) {
        let setup = Setup::new(kind).variable("ESOZ_DEVICE_DISPENSE__PATIENT_LIST", "all");
        let reader = Reader::on(setup.start().await).await;
        let foreign = reader.put(|foreign| foreign.owner(LegalEntityId::new(fresh()))).await;
        let own = &reader.fixture.dispense;
        let mut both = [own, &foreign];
        both.sort_by_key(|dispense| dispense.id);
        let shown: Vec<Value> = both.iter().map(|one| reader.fixture.shown(one)).collect();
        reader.list_of_patient("").await.assert_list(&shown, &paging(1, 50, 2, 1));
        let query = format!("?performer_legal_entity={}", foreign.owner);
        let shown = [reader.fixture.shown(&foreign)];
        reader.list_of_patient(&query).await.assert_list(&shown, &paging(1, 50, 1, 1));
        // The other list is not wider for it.
        assert_eq!(ids(&reader.list("").await), [own.id.to_string()]);
        let warned = secret_scan::captured();
        assert!(warned.lines().any(|line| line.contains("WARN") && line.contains("device_dispense.patient_list")));
    }

    async fn l11_access_denied(kind) {
        let setup = Setup::new(kind).replace(|parts| parts.patient_access = Arc::new(Refusing));
        let reader = Reader::on(setup.start().await).await;
        let refused = reader.list_of_patient("").await;
        refused.assert_error(403, "forbidden", "Access denied");
        assert!(!refused.headers.contains_key("www-authenticate"), "no other token would do");
        reader.list_of_patient("?page=0").await.assert_query_faults(&[("$.page", "number")]);
        reader.get(&of_patient("42")).await.assert_not_found();
        assert_eq!(reader.list("").await.status, 200);
    }
}
