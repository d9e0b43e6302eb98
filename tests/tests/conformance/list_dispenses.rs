//! L01 to L12: dispenses are listed.

use std::sync::Arc;

use async_trait::async_trait;
use esoz_auth::{NewAccessToken, Scope, Secret};
use esoz_device_dispense::{
    Access, Dispense, DispenseStatus, PatientAccess, PatientPseudonyms as _, SEARCH_PARAMETERS, SearchKind,
};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{ClientId, LegalEntityId, PatientId, StoreError, UserId};
use esoz_pseudonym::Aes128CbcPseudonyms;
use esoz_testkit::builders::{DispenseBuilder, at_millis, concept, fresh, legal_entity, reference};
use esoz_tests::{
    Answer, Kind, Request, Setup, StopFixture, TestApp, client_of, on_every_store, secret_scan,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::every_wrong_token;

const MINE: &str = "/api/device_dispenses";
const READ: &str = "device_dispense:read";

fn of_patient(patient: &str) -> String {
    format!("/api/patients/{patient}/device_dispenses")
}

/// A pharmacy with a dispense, and a token of its own that may read it.
struct Reader {
    app: TestApp,
    fixture: StopFixture,
    token: Secret,
}

impl Reader {
    async fn new(kind: Kind) -> Self {
        Self::on(TestApp::new(kind).await).await
    }

    async fn on(app: TestApp) -> Self {
        let fixture = StopFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse(READ)).await;
        Self { app, fixture, token }
    }

    /// The paths of both lists.
    fn paths(&self) -> [String; 2] {
        [MINE.to_owned(), self.path_of_patient()]
    }

    fn path_of_patient(&self) -> String {
        of_patient(&self.fixture.patient.uuid().to_string())
    }

    fn request(&self, path: &str) -> Request {
        self.app.request(Method::GET, path)
    }

    async fn get(&self, path: &str) -> Answer {
        self.request(path).token(&self.token).send().await
    }

    /// The list of the pharmacy.
    async fn list(&self, query: &str) -> Answer {
        self.get(&format!("{MINE}{query}")).await
    }

    /// The list of the patient.
    async fn list_of_patient(&self, query: &str) -> Answer {
        self.get(&format!("{}{query}", self.path_of_patient())).await
    }

    /// Another dispense of the pharmacy and the patient.
    async fn put(&self, change: impl FnOnce(DispenseBuilder) -> DispenseBuilder) -> Dispense {
        let dispense = change(self.fixture.another(&self.app)).build();
        self.app.put_dispense(&dispense).await;
        dispense
    }

    /// Holds both lists against these dispenses, which come in the order of their time and id.
    async fn assert_both(&self, query: &str, expected: &[&Dispense]) {
        let mut expected = expected.to_vec();
        expected.sort_by_key(|dispense| (dispense.record["inserted_at"].to_string(), dispense.id));
        let paging = paging(1, 50, expected.len(), 1);
        let data: Vec<Value> =
            expected.iter().map(|dispense| nameless(&self.fixture.shown(dispense))).collect();
        self.list(query).await.assert_list(&data, &paging);
        let data: Vec<Value> = expected.iter().map(|dispense| self.fixture.shown(dispense)).collect();
        self.list_of_patient(query).await.assert_list(&data, &paging);
    }
}

/// What is shown of a dispense whose patient the server does not know.
fn nameless(shown: &Value) -> Value {
    let mut shown = shown.clone();
    shown["subject"] = json!({"display_value": null});
    shown
}

/// The page of a list.
fn paging(number: u32, size: u32, entries: usize, pages: u32) -> Value {
    json!({"page": number, "page_size": size, "total_entries": entries, "total_pages": pages})
}

fn ids(answer: &Answer) -> Vec<String> {
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|shown| shown["id"].as_str().unwrap().to_owned()).collect()
}

fn at(millis: i64) -> String {
    rfc3339_millis(at_millis(millis))
}

/// A value for each search parameter, and a field of a dispense with it.
fn searched() -> Vec<(&'static str, String, &'static str, Value)> {
    let each = SEARCH_PARAMETERS.iter().map(|parameter| {
        let id = fresh().to_string();
        let text = if parameter.kind == SearchKind::Code { "30221 ї&=".to_owned() } else { id };
        let value = match parameter.name {
            "device" => json!([{"device": reference("device_definition", &text)}]),
            "device_code" => json!([{"device_code": concept("classification_type", &text)}]),
            _ if parameter.path.len() == 1 => json!(text),
            name => reference(name, &text),
        };
        (parameter.name, text, parameter.path[0], value)
    });
    each.collect()
}

/// Encodes a value of a query.
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

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

    async fn l03_each_filter_alone_and_two_together(kind) {
        let reader = Reader::new(kind).await;
        for (name, text, field, value) in searched() {
            let one = reader.put(|another| another.field(field, value)).await;
            reader.assert_both(&format!("?{name}={}", encoded(&text)), &[&one]).await;
            reader.assert_both(&format!("?{name}={}&status=in_progress", encoded(&text)), &[&one]).await;
            reader.assert_both(&format!("?{name}={}&status=stopped", encoded(&text)), &[]).await;
        }
        let handed_over = reader.put(|another| another.field("when_handed_over", json!(at(90_000)))).await;
        let query = format!("?when_handed_over_from={}", at(90_000));
        reader.assert_both(&query, &[&handed_over]).await;
        let stopped = reader.put(|another| another.status(DispenseStatus::Stopped)).await;
        reader.assert_both("?status=stopped", &[&stopped]).await;
    }

    async fn l03_references_as_binary_and_as_text(kind) {
        let reader = Reader::new(kind).await;
        let by_id = searched().into_iter().filter(|(name, ..)| *name != "device_code");
        for (name, text, field, value) in by_id {
            let [as_put, lower, upper] =
                [reader.put(|one| one.field(field, value.clone())).await, reader.put(|one| one).await, reader.put(|one| one).await];
            reader.app.raw().set_field(lower.id, field, value.clone()).await;
            let in_upper: Value = serde_json::from_str(&value.to_string().replace(&text, &text.to_uppercase())).unwrap();
            reader.app.raw().set_field(upper.id, field, in_upper).await;
            for spelled in [&text, &text.to_uppercase()] {
                let answer = reader.list(&format!("?{name}={spelled}")).await;
                let mut expected = [&as_put, &lower, &upper].map(|one| one.id.to_string());
                expected.sort();
                assert_eq!(ids(&answer), expected, "{name}");
                assert_eq!(answer.body["paging"]["total_entries"], 3);
            }
        }
    }

    async fn l04_performer_legal_entity(kind) {
        let reader = Reader::new(kind).await;
        let foreign = reader.put(|foreign| foreign.owner(LegalEntityId::new(fresh()))).await;
        let own = reader.fixture.pharmacy.facts.id;
        reader.assert_both(&format!("?performer_legal_entity={own}"), &[&reader.fixture.dispense]).await;
        reader.assert_both(&format!("?performer_legal_entity={}", foreign.owner), &[]).await;
    }

    async fn l05_bounds(kind) {
        let reader = Reader::new(kind).await;
        for field in ["inserted_at", "when_handed_over"] {
            let put = async |millis| reader.put(|another| another.field(field, json!(at(millis)))).await;
            let (early, exact, late) = (put(99_999).await, put(100_000).await, put(100_001).await);
            for (from, to, expected) in [
                (at(100_000), at(100_000), vec![&exact]),
                (at(99_999), at(100_001), vec![&early, &exact, &late]),
                (at(100_001), at(200_000), vec![&late]),
                (at(100_001), at(99_999), vec![]),
            ] {
                reader.assert_both(&format!("?{field}_from={from}&{field}_to={to}"), &expected).await;
            }
            // Without an offset it is UTC; with one it is the same instant.
            let bare = at(100_000).trim_end_matches('Z').to_owned();
            let query = format!("?{field}_from={bare}&{field}_to={bare}%2B00:00");
            reader.assert_both(&query, &[&exact]).await;
        }
    }

    async fn l06_pages_in_order(kind) {
        let reader = Reader::new(kind).await;
        let mut all: Vec<Dispense> = (0..119)
            .map(|place| {
                let time = json!(at(place % 5 - 60_000));
                reader.fixture.another(&reader.app).field("inserted_at", time).build()
            })
            .collect();
        reader.app.stores.dispense_registry.put_dispenses(&all).await.unwrap();
        all.push(reader.fixture.dispense.clone());
        all.sort_by_key(|dispense| (dispense.record["inserted_at"].to_string(), dispense.id));
        for (page, range) in [(1, 0..50), (2, 50..100), (3, 100..120), (4, 120..120)] {
            let query = format!("?page={page}&page_size=50");
            let shown: Vec<Value> = all[range].iter().map(|one| reader.fixture.shown(one)).collect();
            reader.list_of_patient(&query).await.assert_list(&shown, &paging(page, 50, 120, 3));
            let shown: Vec<Value> = shown.iter().map(nameless).collect();
            reader.list(&query).await.assert_list(&shown, &paging(page, 50, 120, 3));
        }
        let all: Vec<String> = all.iter().map(|dispense| dispense.id.to_string()).collect();
        assert_eq!(ids(&reader.list("?page_size=300").await), all);
    }

    async fn l07_page_faults(kind) {
        let reader = Reader::new(kind).await;
        for path in reader.paths() {
            for (query, fault) in [
                ("page=0", ("$.page", "number")),
                ("page=-1", ("$.page", "number")),
                ("page=1000001", ("$.page", "number")),
                ("page=abc", ("$.page", "cast")),
                ("page_size=0", ("$.page_size", "number")),
                ("page_size=301", ("$.page_size", "number")),
                ("page_size=1e2", ("$.page_size", "cast")),
            ] {
                reader.get(&format!("{path}?{query}")).await.assert_query_faults(&[fault]);
            }
            let answer = reader.get(&format!("{path}?page_size=301")).await;
            assert_eq!(answer.body["error"]["invalid"][0]["rules"][0]["params"], json!(["1", "300"]));
            assert_eq!(reader.get(&format!("{path}?page_size=300&page=1000000")).await.status, 200);
        }
    }

    async fn l08_filter_faults(kind) {
        let reader = Reader::new(kind).await;
        let secret = "0-what-is-sent-is-not-repeated";
        for path in reader.paths() {
            for (query, fault) in [
                (format!("status={secret}"), ("$.status", "inclusion")),
                ("status=".to_owned(), ("$.status", "inclusion")),
                ("status=Stopped".to_owned(), ("$.status", "inclusion")),
                (format!("based_on={secret}"), ("$.based_on", "format")),
                ("encounter=%7B29dc859e-37fa-481d-8526-e95ac7603%7D".to_owned(), ("$.encounter", "format")),
                ("performer_legal_entity=".to_owned(), ("$.performer_legal_entity", "format")),
                ("device_code=".to_owned(), ("$.device_code", "format")),
                ("inserted_at_from=yesterday".to_owned(), ("$.inserted_at_from", "datetime")),
                ("inserted_at_to=2026-01-31".to_owned(), ("$.inserted_at_to", "datetime")),
                ("when_handed_over_from=".to_owned(), ("$.when_handed_over_from", "datetime")),
                ("when_handed_over_to=2026-01-31T08:15:30+02:00".to_owned(), ("$.when_handed_over_to", "datetime")),
                ("when_handed_over_to=2026-01-31+08:15:30Z".to_owned(), ("$.when_handed_over_to", "datetime")),
                ("inserted_at=2026-01-31T08:15:30Z".to_owned(), ("$.inserted_at", "schema")),
                (format!("{secret}=1"), ("$", "schema")),
                ("status=stopped&status=stopped".to_owned(), ("$.status", "schema")),
            ] {
                let answer = reader.get(&format!("{path}?{query}")).await;
                answer.assert_query_faults(&[fault]);
                assert!(!answer.body["error"].to_string().contains(secret), "{query}");
            }
            let all = "?unknown=1&page=0&status=begun&device=1&page_size=x&location=1&location=2&inserted_at_from=now";
            reader.get(&format!("{path}{all}")).await.assert_query_faults(&[
                ("$.status", "inclusion"),
                ("$.inserted_at_from", "datetime"),
                ("$.location", "schema"),
                ("$.device", "format"),
                ("$.page", "number"),
                ("$.page_size", "cast"),
                ("$.unknown", "schema"),
            ]);
        }
        let told = reader.list("?status=begun").await;
        let known = &told.body["error"]["invalid"][0]["rules"][0]["params"];
        assert!(known.as_array().unwrap().contains(&json!("canceled")), "{known}");
    }

    async fn l08_both_spellings_find_both(kind) {
        let reader = Reader::new(kind).await;
        let cancelled = |another: DispenseBuilder| another.status(DispenseStatus::Cancelled);
        let (one, other) = (reader.put(cancelled).await, reader.put(cancelled).await);
        reader.app.raw().set_field(other.id, "status", json!("canceled")).await;
        for spelled in ["cancelled", "canceled"] {
            reader.assert_both(&format!("?status={spelled}"), &[&one, &other]).await;
        }
    }

    async fn l09_subject_under_aes(kind) {
        let (key, iv) = ("8grv872gt3trc92b", "99yBSYB*Y99yr932");
        let setup = Setup::new(kind).variable("ESOZ_PATIENT__PSEUDONYM", "aes-128-cbc");
        let setup = setup.variable("ESOZ_PATIENT__KEY", key).variable("ESOZ_PATIENT__IV", iv);
        let reader = Reader::on(setup.start().await).await;
        let patient = reader.fixture.patient;
        let subject = Aes128CbcPseudonyms::try_new(key, iv).unwrap().of(patient);
        let one = reader.put(|another| another.subject(subject.clone())).await;
        let shown = reader.fixture.shown(&one);
        // The other one's subject is of another scheme: none of this one.
        reader.list("").await.assert_list(std::slice::from_ref(&shown), &paging(1, 50, 2, 1));
        reader.list_of_patient("").await.assert_list(&[shown], &paging(1, 50, 1, 1));
        assert!(secret_scan::captured().contains(&reader.fixture.dispense.id.to_string()));
    }

    async fn l09_subject_under_hmac(kind) {
        let reader = Reader::new(kind).await;
        let answer = reader.list("").await;
        assert_eq!(answer.body["data"][0]["subject"], json!({"display_value": null}));
        let answer = reader.list_of_patient("").await;
        assert_eq!(answer.body["data"][0]["subject"], reference("patient", reader.fixture.patient.uuid()));
    }

    async fn l10_one_that_cannot_be_read(kind) {
        let reader = Reader::new(kind).await;
        let mut readable = vec![reader.fixture.dispense.clone()];
        for _ in 0..8 {
            readable.push(reader.put(|another| another).await);
        }
        let broken = reader.put(|another| another).await;
        reader.app.raw().set_field(broken.id, "status", json!("exploded")).await;
        readable.sort_by_key(|dispense| dispense.id);
        let data: Vec<Value> = readable.iter().map(|one| reader.fixture.shown(one)).collect();
        let left_out = async || reader.app.scrape().await.sum("esoz_unreadable_records_total", &[]);
        assert_eq!(left_out().await, Some(0.0));
        reader.list_of_patient("").await.assert_list(&data, &paging(1, 50, 10, 1));
        assert_eq!(left_out().await, Some(1.0));
        let data: Vec<Value> = data.iter().map(nameless).collect();
        reader.list("").await.assert_list(&data, &paging(1, 50, 10, 1));
        assert_eq!(left_out().await, Some(2.0));
        let log = secret_scan::captured();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(&broken.id.to_string()) && line.contains("is left out of a list"))
            .collect();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("\"WARN\"") && line.contains("field status")), "{lines:#?}");
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

    async fn l12_paging(kind) {
        let reader = Reader::new(kind).await;
        for _ in 0..4 {
            reader.put(|another| another).await;
        }
        for path in reader.paths() {
            for (page, size, pages) in [(1, 2, 3), (3, 2, 3), (2, 5, 1), (1, 5, 1), (1, 50, 1), (1_000_000, 300, 1)] {
                let answer = reader.get(&format!("{path}?page={page}&page_size={size}")).await;
                assert_eq!(answer.body["paging"], paging(page, size, 5, pages), "{path} {page} {size}");
            }
        }
    }
}
