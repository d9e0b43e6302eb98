//! G01 to G06: a dispense is shown.

use esoz_auth::Scope;
use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::{fresh, legal_entity};
use esoz_tests::{Answer, Setup, client_of, on_every_store};
use serde_json::json;

use crate::dispense_reader::{READ, Reader};
use crate::tokens::every_wrong_token;

fn path(patient: &str, id: &str) -> String {
    format!("/api/patients/{patient}/device_dispenses/{id}")
}

impl Reader {
    /// The path of a dispense of the patient.
    fn path_of(&self, dispense: &Dispense) -> String {
        path(&self.fixture.patient.uuid().to_string(), &dispense.id.to_string())
    }

    async fn show(&self, dispense: &Dispense) -> Answer {
        self.get(&self.path_of(dispense)).await
    }
}

on_every_store! {
    async fn g01_token_and_scope(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        let mut stored = fixture.stored_token.clone();
        stored.scope = Scope::parse(READ);
        every_wrong_token(app, &stored, &reader.token, || reader.request(&reader.path_of(&fixture.dispense))).await;

        let stop_alone = fixture.issue(app, |token| token.scope = Scope::parse("device_dispense:stop")).await;
        let answer = reader.request(&reader.path_of(&fixture.dispense)).token(&stop_alone).send().await;
        let message = "Your scope does not allow to access this resource. Missing allowances: device_dispense:read";
        answer.assert_error(403, "forbidden", message);
        assert_eq!(reader.show(&fixture.dispense).await.status, 200);
    }

    async fn g02_not_there_or_not_for_the_caller(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        let (patient, id) = (fixture.patient.uuid().to_string(), fixture.dispense.id.to_string());
        let foreign = fixture.another(app).owner(esoz_kernel::LegalEntityId::new(fresh())).build();
        app.put_dispense(&foreign).await;
        let (unknown, foreign) = (fresh().to_string(), foreign.id.to_string());
        let unknown = reader.get(&path(&patient, &unknown)).await;
        unknown.assert_not_found();
        for (patient, id) in [
            (patient.as_str(), "42"),
            ("nobody", id.as_str()),
            (patient.as_str(), foreign.as_str()),
            (&fresh().to_string(), id.as_str()),
        ] {
            let answer = reader.get(&path(patient, id)).await;
            assert_eq!(answer.status, 404, "{id}");
            assert_eq!(answer.redacted(), unknown.redacted(), "{id}");
        }
        let upper = reader.get(&path(&patient.to_uppercase(), &id.to_uppercase())).await;
        upper.assert_data(&fixture.shown(&fixture.dispense));
    }

    async fn g03_whatever_the_legal_entity_is(kind) {
        let setup = Setup::new(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "MSP, PRIMARY_CARE");
        let reader = Reader::on(setup.start().await).await;
        let Reader { app, fixture, .. } = &reader;
        let shown = fixture.shown(&fixture.dispense);
        // Of a type that may not act.
        reader.show(&fixture.dispense).await.assert_data(&shown);
        let mut pharmacy = fixture.pharmacy.clone();
        pharmacy.facts.status = LegalEntityStatus::Suspended;
        app.put_legal_entity(&pharmacy).await;
        reader.show(&fixture.dispense).await.assert_data(&shown);

        let nobody = legal_entity().facts.id;
        let dispense = fixture.another(app).owner(nobody).build();
        app.put_dispense(&dispense).await;
        let change = |token: &mut esoz_auth::NewAccessToken| {
            token.client_id = client_of(nobody);
            token.scope = Scope::parse(READ);
        };
        let token = fixture.issue(app, change).await;
        reader.request(&reader.path_of(&dispense)).token(&token).send().await.assert_data(&fixture.shown(&dispense));
    }

    async fn g04_in_every_status(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        for status in DispenseStatus::ALL {
            let dispense = fixture.another(app).status(status).build();
            app.put_dispense(&dispense).await;
            reader.show(&dispense).await.assert_data(&fixture.shown(&dispense));
        }
        let cancelled = fixture.another(app).status(DispenseStatus::Cancelled).build();
        app.put_dispense(&cancelled).await;
        app.raw().set_field(cancelled.id, "status", json!("canceled")).await;
        reader.show(&cancelled).await.assert_data(&fixture.shown(&cancelled));
    }

    async fn g05_right_after_a_stop(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        let stopped = fixture.stop(app).await;
        assert_eq!(stopped.status, 200);
        reader.show(&fixture.dispense).await.assert_data(&stopped.body["data"]);
    }

    async fn g06_what_cannot_be_read_and_what_is_of_others(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture, .. } = &reader;
        let foreign = fixture.another(app).owner(esoz_kernel::LegalEntityId::new(fresh())).build();
        for dispense in [&fixture.dispense, &foreign] {
            if dispense == &foreign {
                app.put_dispense(&foreign).await;
            }
            app.raw().set_field(dispense.id, "status", json!("exploded")).await;
        }
        reader.show(&fixture.dispense).await.assert_internal();
        reader.show(&foreign).await.assert_not_found();
        app.raw().set_field(foreign.id, "subject", json!(7)).await;
        reader.show(&foreign).await.assert_not_found();
        // The same for a stop, which a stranger may not learn from either.
        fixture.request_for(app, &foreign).send().await.assert_not_found();

        let sound = fixture.another(app).build();
        app.put_dispense(&sound).await;
        app.raw().set_field(sound.id, "not_ours", json!({"of": "others"})).await;
        reader.show(&sound).await.assert_data(&fixture.shown(&sound));
    }
}
