//! What `esoz import` takes of a dispense, and what a store has of it then.

use esoz_kernel::DispenseId;
use esoz_testkit::builders::{fresh, reference};
use esoz_tests::process::{Finished, esoz_with_input};
use esoz_tests::{TestStores, on_every_store};
use serde_json::{Value, json};

use crate::environment;

/// The data of a dispense with those fields beside what it must have.
fn data(id: DispenseId, fields: &Value) -> Value {
    let mut data = json!({
        "id": id.to_string(), "patient_id": fresh().to_string(), "status": "in_progress", "details": [],
        "based_on": reference("device_request", fresh()), "performer": reference("employee", fresh()),
        "location": reference("division", fresh()), "performer_legal_entity": reference("legal_entity", fresh()),
    });
    data.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    data
}

fn import(stores: &TestStores, options: &[&str], kind: &str, data: &Value) -> Finished {
    let line = json!({"kind": kind, "data": data}).to_string();
    esoz_with_input(&environment(stores), &[&["import"], options, &["-"]].concat(), &line)
}

on_every_store! {
    async fn unknown_fields_are_refused_with_the_flag_that_keeps_them(kind) {
        let stores = TestStores::fresh(kind).await;
        let id = DispenseId::new(fresh());
        let extra = json!({"of": ["another", "system", 1.5, null]});
        let given = data(id, &json!({"extra": extra, "status_reason": {"coding": [{"system": "s", "code": "c", "version": 2}]}}));
        let refused = import(&stores, &[], "device_dispense", &given);
        refused.assert_failure("has the unknown field extra; with --keep-unknown it is stored as it is");
        import(&stores, &["--keep-unknown"], "device_dispense", &given).assert_success();
        let stored = stores.raw().document(id).await;
        assert_eq!((&stored["extra"], &stored["status_reason"]["coding"][0]["version"]), (&extra, &json!(2)));
        let division = json!({
            "id": fresh().to_string(), "legal_entity_id": fresh().to_string(), "name": "n", "type": "t", "status": "ACTIVE",
            "is_active": true, "extra": 1,
        });
        let refused = import(&stores, &["--keep-unknown"], "division", &division);
        refused.assert_failure("$.data: has the unknown field extra\n");
    }

    async fn the_ends_of_time_are_taken_and_what_is_beyond_is_refused_with_the_reason(kind) {
        let stores = TestStores::fresh(kind).await;
        for given in ["0000-01-01T02:00:00+02:00", "9999-12-31T23:59:59Z"] {
            let data = data(DispenseId::new(fresh()), &json!({"when_handed_over": given, "inserted_at": given}));
            import(&stores, &[], "device_dispense", &data).assert_success();
        }
        for given in ["0000-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"] {
            let data = data(DispenseId::new(fresh()), &json!({"when_handed_over": given}));
            let refused = import(&stores, &[], "device_dispense", &data);
            refused.assert_failure("$.data.when_handed_over: is outside the years 0000 to 9999 in UTC\n");
        }
    }
}
