//! What a registry is asked, and how.

use std::sync::Arc;

use esoz_kernel::{PatientId, SecretString, Uuid};
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacDrfoDigests};
use esoz_registries::{
    DeviceChoice, Person, PersonStatus, Persons as _, ProgramDevices as _, VerificationStatus,
};
use esoz_registries_remote::{RegistryKind, RemoteRegistries};
use esoz_testkit::builders::fresh;
use esoz_testkit::registries::RegistryFixture;
use serde_json::{Value, json};

use crate::support::{
    Reply, Seen, TOKEN, TestRegistry, TestServer, look_up, pseudonyms, remote, remote_of, settings,
};

fn line(seen: &Seen) -> &str {
    seen.head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap()
}

#[tokio::test]
async fn given_a_key_then_the_registry_of_its_kind_is_asked_for_it() {
    let fixture = RegistryFixture::build();
    let server = TestServer::start(TestRegistry::with(&fixture).await.reply()).await;
    let remote = remote(&server);
    for kind in RegistryKind::ALL {
        assert_eq!(look_up(&remote, kind, &fixture).await, Ok(1), "{kind}");
    }
    let entity = format!("GET /api/legal_entities/{}", fixture.legal_entity.facts.id);
    let definition = fixture.definition.facts.id.to_string();
    let expected = [
        (entity.clone(), Value::Null),
        (entity, Value::Null),
        (format!("GET /api/divisions/{}", fixture.division.facts.id), Value::Null),
        ("POST /api/persons/search".to_owned(), json!({"subject": fixture.person.subject.expose()})),
        ("POST /api/parties/search".to_owned(), json!({"user_id": fixture.user.to_string()})),
        (format!("GET /api/employees/{}", fixture.employee.facts.id), Value::Null),
        (format!("GET /api/medical_programs/{}", fixture.program.id), Value::Null),
        (format!("GET /api/device_definitions/{definition}"), Value::Null),
        (
            "POST /api/program_devices/search".to_owned(),
            json!({
                "ids": [], "program_id": fixture.program.id.to_string(), "device_definition_ids": [definition],
                "classification_types": [],
            }),
        ),
    ];
    let seen = server.seen();
    let asked: Vec<_> = seen
        .iter()
        .map(|seen| (line(seen).to_owned(), serde_json::from_str(&seen.body).unwrap_or(Value::Null)))
        .collect();
    assert_eq!(asked, expected);
    for seen in &seen {
        assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
        assert_eq!(seen.header("accept"), Some("application/json"));
        let content_type = line(seen).starts_with("POST").then_some("application/json");
        assert_eq!(seen.header("content-type"), content_type);
    }
}

#[tokio::test]
async fn given_a_scheme_that_tells_ids_then_a_patient_is_asked_for_by_id_and_never_in_a_url() {
    let patient = PatientId::new(fresh());
    let scheme = Arc::new(Aes128CbcPseudonyms::try_new("8grv872gt3trc92b", "99yBSYB*Y99yr932").unwrap());
    let subject = esoz_device_dispense::PatientPseudonyms::of(&*scheme, patient);
    let id = patient.uuid().to_string();
    let person = json!({"id": id, "status": "active", "verification_status": "NOT_VERIFIED"});
    let server = TestServer::start(Reply::ok(json!({"data": person}))).await;
    let remote = remote_of(&settings(&server), scheme);
    let expected = Person { status: PersonStatus::Active, verification: VerificationStatus::NotVerified };
    assert_eq!(remote.find(&subject).await.unwrap(), Some(expected));
    let seen = server.seen().remove(0);
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), json!({"id": id}));
    assert!(!seen.head.contains(&id), "{}", seen.head);

    let of_another_scheme = RegistryFixture::build().person.subject;
    let refused = remote.find(&of_another_scheme).await.unwrap_err();
    assert!(!refused.with_causes().contains(of_another_scheme.expose()), "{}", refused.with_causes());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn given_an_id_in_the_answer_then_it_is_compared_as_a_pseudonym() {
    let patient = PatientId::new(fresh());
    let person =
        json!({"id": patient.uuid().to_string(), "status": "inactive", "verification_status": "VERIFIED"});
    let server = TestServer::start(Reply::ok(json!({"data": person}))).await;
    let remote = remote(&server);
    let found = remote.find(&pseudonyms().of(patient)).await.unwrap().unwrap();
    assert_eq!(found.status, PersonStatus::Inactive);
    assert!(remote.find(&pseudonyms().of(PatientId::new(fresh()))).await.is_err());
}

#[tokio::test]
async fn given_no_token_then_none_is_sent() {
    let server = TestServer::start(Reply::Json(404, "{}".to_owned())).await;
    let digests = Arc::new(HmacDrfoDigests::try_new("a secret that only tests know").unwrap());
    let remote = RemoteRegistries::try_new(&settings(&server), None, pseudonyms(), digests).unwrap();
    remote.ping(RegistryKind::Employees).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn given_a_choice_without_a_program_then_none_is_named() {
    let server =
        TestServer::start(Reply::ok(json!({"data": {"program_devices": [], "device_definitions": []}})))
            .await;
    let device = esoz_kernel::ProgramDeviceId::new(fresh());
    let choice = DeviceChoice { ids: vec![device], ..DeviceChoice::default() };
    assert_eq!(remote(&server).find_all(&choice).await.unwrap(), []);
    let body: Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!(
        body,
        json!({"ids": [device.to_string()], "device_definition_ids": [], "classification_types": []})
    );
}

#[tokio::test]
async fn given_a_ping_then_each_registry_is_asked_about_what_nobody_has() {
    let server = TestServer::start(TestRegistry::new().reply()).await;
    let remote = remote(&server);
    for (index, kind) in RegistryKind::ALL.into_iter().enumerate() {
        remote.ping(kind).await.unwrap();
        let seen = server.seen().remove(index);
        assert!(line(&seen).contains(&format!("/api/{kind}/")), "{}", seen.head);
        let is_by_id = line(&seen).starts_with("GET");
        assert!(!is_by_id || line(&seen).ends_with(&Uuid::nil().to_string()), "{}", seen.head);
    }
    server.set(Reply::Json(404, "<html>".to_owned()));
    for kind in RegistryKind::ALL {
        remote.ping(kind).await.unwrap_err();
    }
}

#[test]
fn given_settings_that_cannot_be_used_then_the_setting_is_named() {
    let refused = |url: &str, token: &str| {
        let digests = Arc::new(HmacDrfoDigests::try_new("a secret that only tests know").unwrap());
        let settings = RemoteRegistries::settings(url);
        let token = SecretString::new(token);
        let error = RemoteRegistries::try_new(&settings, Some(&token), pseudonyms(), digests).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("canary"));
        error.setting()
    };
    assert_eq!(refused("http://registries.example/", TOKEN), "url");
    assert_eq!(refused("https://registries.example/?canary=1", TOKEN), "url");
    assert_eq!(refused("https://registries.example/", " "), "token");
    assert_eq!(refused("https://registries.example/", "canary\r\nhost: x"), "token");
}
