//! Answers that are none to what was asked: the registry is away, and nothing is missing because of them.

use std::slice;
use std::sync::Arc;

use esoz_kernel::StoreErrorKind::Unavailable;
use esoz_registries_remote::RegistryKind;
use esoz_testkit::builders::fresh;
use esoz_testkit::registries::RegistryFixture;
use serde_json::{Value, json};

use crate::support::{Reply, TestRegistry, TestServer, look_up, remote};

/// What the registry answers about that kind, and the adapter's server.
async fn sound(kind: RegistryKind, fixture: &RegistryFixture) -> (TestServer, Value) {
    let server = TestServer::start(TestRegistry::with(fixture).await.reply()).await;
    let remote = remote(&server);
    look_up(&remote, kind, fixture).await.unwrap();
    // Asked for again as the adapter did, and kept.
    let kept = TestRegistry::with(fixture).await.reply();
    let Reply::By(answer) = kept else { panic!("it answers by the request") };
    let Reply::Json(200, body) = answer(&server.seen()[0]) else { panic!("it knows the fixture") };
    (server, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn given_nothing_there_then_nothing_is_found() {
    let fixture = RegistryFixture::build();
    let server = TestServer::start(TestRegistry::new().reply()).await;
    for kind in RegistryKind::ALL {
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Ok(0), "{kind}");
    }
}

#[tokio::test]
async fn given_a_404_of_something_else_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    for page in ["", "<!doctype html><title>canary</title>", "null", "[]", "\"canary\""] {
        let server = TestServer::start(Reply::Json(404, page.to_owned())).await;
        for kind in RegistryKind::ALL {
            assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{kind} {page}");
        }
    }
    let server = TestServer::start(Reply::Json(404, "{}".to_owned())).await;
    let searched = look_up(&remote(&server), RegistryKind::ProgramDevices, &fixture).await;
    assert_eq!(searched, Err(Unavailable), "there is no such search");
}

#[tokio::test]
async fn given_any_other_status_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    for kind in RegistryKind::ALL {
        let (server, answer) = sound(kind, &fixture).await;
        for status in
            [201, 204, 206, 301, 302, 307, 308, 400, 401, 403, 405, 408, 410, 422, 429, 500, 502, 503]
        {
            server.set(Reply::Json(status, answer.to_string()));
            let found = look_up(&remote(&server), kind, &fixture).await;
            assert_eq!(found, Err(Unavailable), "{kind} {status}");
        }
        server.set(Reply::ok(&answer));
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Ok(1), "{kind}");
    }
}

/// What it makes wrong, and the change that does so.
type Change = (&'static str, fn(&mut Value));

/// Changes to the `data` of an answer that is sound.
const CHANGES: [Change; 6] = [
    ("it is null", |data| *data = Value::Null),
    ("it is a list", |data| *data = json!([data.take()])),
    ("it is empty", |data| *data = json!({})),
    ("it has an unknown field", |data| data["a-canary"] = json!("canary")),
    ("an id is none", |data| data["id"] = json!("canary")),
    ("a stamp is none", |data| data["inserted_at"] = json!("canary")),
];

#[tokio::test]
async fn given_an_answer_in_another_form_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    for kind in RegistryKind::ALL {
        let (server, sound) = sound(kind, &fixture).await;
        let mut wrong: Vec<(String, String)> = [
            "",
            "canary",
            "null",
            "[]",
            "{}",
            "{\"data\":{}",
            "\u{feff}{\"data\":{}}",
            "{\"data\":{},\"data\":{}}",
        ]
        .map(|text| (text.to_owned(), text.to_owned()))
        .into();
        for (what, change) in CHANGES {
            let mut answer = sound.clone();
            if kind == RegistryKind::ProgramDevices {
                for list in ["program_devices", "device_definitions"] {
                    let mut answer = sound.clone();
                    change(&mut answer["data"][list][0]);
                    wrong.push((format!("{list}: {what}"), answer.to_string()));
                }
                answer["data"] = Value::Null;
            } else {
                change(&mut answer["data"]);
            }
            wrong.push((what.to_owned(), answer.to_string()));
        }
        for (what, text) in wrong {
            server.set(Reply::ok(text));
            let found = look_up(&remote(&server), kind, &fixture).await;
            assert_eq!(found, Err(Unavailable), "{kind}: {what}");
        }
        let binary =
            [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), b"{\"data\":\"\xff\"}"].concat();
        server.set(Reply::Raw(binary));
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{kind}");
    }
}

#[tokio::test]
async fn given_an_answer_about_something_else_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    for kind in RegistryKind::ALL {
        let (server, mut answer) = sound(kind, &fixture).await;
        let other = RegistryFixture::build();
        let data = &mut answer["data"];
        match kind {
            RegistryKind::Persons => data["subject"] = json!(other.person.subject.expose()),
            RegistryKind::Parties => data["users"] = json!([other.user.to_string()]),
            RegistryKind::ProgramDevices => {
                data["program_devices"][0]["program_id"] = json!(fresh().to_string());
            }
            _ => data["id"] = json!(fresh().to_string()),
        }
        server.set(Reply::ok(&answer));
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{kind}");
    }
}

fn twice(data: &mut Value, list: &str) {
    let first = data[list][0].clone();
    data[list].as_array_mut().unwrap().push(first);
}

#[tokio::test]
async fn given_lists_that_do_not_fit_then_the_registry_is_away() {
    let fixture = RegistryFixture::build();
    let kind = RegistryKind::ProgramDevices;
    let (server, sound) = sound(kind, &fixture).await;
    let wrong: [Change; 5] = [
        ("a definition is missing", |data| data["device_definitions"] = json!([])),
        ("a device is there twice", |data| twice(data, "program_devices")),
        ("a definition is there twice", |data| twice(data, "device_definitions")),
        ("a list is missing", |data| drop(data.as_object_mut().unwrap().remove("program_devices"))),
        ("a list is none", |data| data["device_definitions"] = json!({})),
    ];
    for (what, change) in wrong {
        let mut answer = sound.clone();
        change(&mut answer["data"]);
        server.set(Reply::ok(answer));
        assert_eq!(look_up(&remote(&server), kind, &fixture).await, Err(Unavailable), "{what}");
    }
}

#[tokio::test]
async fn given_one_definition_of_many_that_fails_then_the_lookup_fails() {
    let fixture = RegistryFixture::build();
    let registry = TestRegistry::with(&fixture).await;
    let Reply::By(answer) = registry.reply() else { panic!("it answers by the request") };
    let failing = fresh();
    let server = TestServer::start(Reply::By(Arc::new(move |seen| {
        if seen.head.contains(&failing.to_string()) {
            Reply::Json(503, "{}".to_owned())
        } else {
            answer(seen)
        }
    })))
    .await;
    let remote = remote(&server);
    let (there, absent) = (fixture.definition.facts.id, esoz_kernel::DeviceDefinitionId::new(fresh()));
    let found = esoz_registries::DeviceDefinitions::find_all(&remote, &[absent, there]).await.unwrap();
    assert_eq!(found, slice::from_ref(&fixture.definition.facts));
    let ids = [there, esoz_kernel::DeviceDefinitionId::new(failing), absent];
    assert!(esoz_registries::DeviceDefinitions::find_all(&remote, &ids).await.is_err());
}
