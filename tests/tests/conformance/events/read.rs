//! M01, M02, M05 and M09: who reads events, in a list and by id; and nobody where the log is switched off.

use esoz_device_dispense::DispenseStatus;
use esoz_events::LoggedEvent;
use esoz_kernel::Committed;
use esoz_testkit::builders::{at_millis, change_of, fresh, logged_event};
use esoz_tests::{Setup, on_every_store};
use serde_json::json;

use super::{Reader, at, shown, with_properties};
use crate::tokens::every_wrong_token;

on_every_store! {
    async fn m01_token_and_scope(kind) {
        let reader = Reader::new(kind).await;
        for rest in [String::new(), format!("/{}", fresh())] {
            every_wrong_token(&reader.app, &reader.stored_token, &reader.token, || reader.request(&rest)).await;
            let answer = reader.request(&rest).token(&reader.stop.token).send().await;
            let message = "Your scope does not allow to access this resource. Missing allowances: event:read";
            answer.assert_error(403, "forbidden", message);
        }
        // The scope comes before the query.
        let answer = reader.request("?page=0").token(&reader.stop.token).send().await;
        assert_eq!(answer.status, 403);
        assert_eq!(reader.get("").await.status, 200);
    }

    async fn m02_a_stop_and_an_expiry(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, stop, .. } = &reader;
        let other = stop.another(app).build();
        app.put_dispense(&other).await;
        // As the expiry of dispenses makes it, a second before the stop.
        let change = change_of(&other, DispenseStatus::Unknown, at_millis(59_000));
        assert!(matches!(app.stores.dispenses.commit(&change).await.unwrap(), Committed::Applied(_)));
        assert_eq!(stop.stop(app).await.status, 200);

        let listed = reader.listed("", 2).await;
        let delivered = [app.events_of(&other).await.remove(0), app.events_of(&stop.dispense).await.remove(0)];
        assert_eq!(listed, delivered.each_ref().map(|message| message.json.clone()));
        let expected = json!({
            "id": listed[1]["id"],
            "event_type": "StatusChangeEvent",
            "entity_type": "DeviceDispense",
            "entity_id": stop.dispense.id.to_string(),
            "properties": {"status": {"new_value": "stopped"}},
            "event_time": crate::NOW_MILLIS,
            "changed_by": stop.stored_token.user_id.to_string(),
        });
        assert_eq!(listed[1], expected);
        assert_eq!(listed[0]["properties"], json!({"status": {"new_value": "unknown"}}));
        let one = reader.get(&format!("/{}", listed[1]["id"].as_str().unwrap())).await;
        one.assert_list_of_one(&expected);
    }

    async fn m05_there_unknown_and_no_uuid(kind) {
        let reader = Reader::new(kind).await;
        let event = with_properties(0, r#"{ "b": {"new_value": 1.50}, "a": "\u0000 Ї", "": [] }"#);
        // Four weeks old: what is older than `events.keep_days` may be gone before it is read.
        let old = LoggedEvent { event_time: "2026-01-02T23:59:59.999Z".parse().unwrap(), ..logged_event() };
        reader.put(&[event.clone(), old.clone()]).await;
        for event in [event, old] {
            for id in [event.id.to_string(), event.id.to_string().to_uppercase()] {
                reader.get(&format!("/{id}")).await.assert_list_of_one(&shown(&event));
            }
        }
        for id in [fresh().to_string(), "42".to_owned(), "%00".to_owned()] {
            reader.get(&format!("/{id}")).await.assert_not_found();
        }
    }

    async fn m09_switched_off(kind) {
        let setup = Setup::new(kind).variable("ESOZ_EVENTS__STORE", "false");
        let reader = Reader::on(setup.start().await).await;
        let event = at(0);
        reader.put(std::slice::from_ref(&event)).await;
        for rest in [String::new(), "?page=0".to_owned(), format!("/{}", event.id), "/42".to_owned()] {
            reader.request(&rest).send().await.assert_not_found();
            reader.get(&rest).await.assert_not_found();
        }
        // All else goes on.
        assert_eq!(reader.stop.stop(&reader.app).await.status, 200);
        assert_eq!(reader.app.events_of(&reader.stop.dispense).await.len(), 1);
    }
}
