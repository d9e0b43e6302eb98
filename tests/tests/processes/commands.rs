//! `migrate`, `import`, `token`, `api-key`, `user`, `client`, `events`, `completions`, `man`.

use std::io::Write as _;

use esoz_auth::Secret;
use esoz_testkit::builders::fresh;
use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz, esoz_with_input};
use esoz_tests::{DEADLINE, Request, TestStores, client, on_every_store, stop_path, update_path};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{environment, with};

fn reference(code: &str, id: &str) -> Value {
    esoz_testkit::builders::reference(code, id)
}

/// A pharmacy that is also a clinic with a contract, as lines to import, and the ids in them.
struct Lines {
    legal_entity: String,
    divisions: [String; 2],
    contract: String,
    contract_division: String,
    dispense: String,
    patient: String,
}

impl Lines {
    fn new() -> Self {
        let id = || fresh().to_string();
        Self {
            legal_entity: id(),
            divisions: [id(), id()],
            contract: id(),
            contract_division: id(),
            dispense: id(),
            patient: id(),
        }
    }

    fn values(&self) -> Vec<Value> {
        let Self { legal_entity, divisions, contract, contract_division, dispense, patient } = self;
        let division = |id: &String| {
            json!({"kind": "division", "data": {"id": id, "legal_entity_id": legal_entity, "name": "Аптека", "type": "CLINIC",
                "status": "ACTIVE", "is_active": true}})
        };
        vec![
            json!({"kind": "legal_entity", "data": {"id": legal_entity, "name": "Аптека", "edrpou": "30000001",
                "type": "PHARMACY", "status": "ACTIVE", "is_active": true}}),
            division(&divisions[0]),
            division(&divisions[1]),
            json!({"kind": "contract", "data": {"id": contract, "type": "GB_CBP", "status": "VERIFIED",
                "contract_number": "0000-0001", "contractor_legal_entity_id": legal_entity, "start_date": "2026-01-01",
                "end_date": "2026-12-31", "is_active": true, "is_suspended": false}}),
            json!({"kind": "contract_division", "data": {"id": contract_division, "contract_id": contract,
                "division_id": divisions[0], "is_active": true}}),
            json!({"kind": "device_dispense", "data": {"id": dispense, "patient_id": patient, "status": "in_progress",
                "based_on": reference("device_request", &fresh().to_string()),
                "performer": reference("employee", &fresh().to_string()),
                "location": reference("division", &divisions[0]),
                "performer_legal_entity": reference("legal_entity", legal_entity), "details": []}}),
        ]
    }

    fn text(&self) -> String {
        self.values().iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn ask(method: Method, base: &str, path: &str) -> Request {
    Request::new(&client(), method, format!("{base}{path}"))
}

on_every_store! {
    async fn everything_beside_a_running_server(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = with(environment(&stores), "ESOZ_CACHE__TTL_MS", "0");
        let (server, base) = Process::serve(&variables);
        esoz(&variables, &["migrate"]).assert_success();

        let lines = Lines::new();
        let data = file(&lines.text());
        let path = data.path().to_str().unwrap();
        let imported = esoz(&variables, &["import", path]);
        imported.assert_success();
        assert!(imported.stdout.contains("6 lines, 0 bad"), "{}", imported.stdout);
        let user = fresh().to_string();
        let issue = |scope: &str| {
            let arguments = ["token", "issue", "--user", &user, "--client", &lines.legal_entity, "--scope", scope, "--ttl", "1h"];
            let issued = esoz(&variables, &arguments);
            issued.assert_success();
            let token = issued.stdout.trim_end().to_owned();
            assert!(!token.contains(char::is_whitespace), "more than the token: {token}");
            Secret::new(token)
        };
        let stop = stop_path(&lines.patient, &lines.dispense);
        let token = issue("device_dispense:stop");

        // Blocked and let in again, the user, then the client.
        for who in [["user", &user], ["client", &lines.legal_entity]] {
            esoz(&variables, &[who[0], "block", who[1]]).assert_success();
            ask(Method::PATCH, &base, &stop).token(&token).send().await.assert_invalid_token();
            esoz(&variables, &[who[0], "unblock", who[1]]).assert_success();
        }
        assert_eq!(ask(Method::PATCH, &base, &stop).token(&token).send().await.status, 200);

        // Importing again undoes nothing.
        let again = esoz(&variables, &["import", path]);
        again.assert_success();
        let answer = ask(Method::PATCH, &base, &stop).token(&token).send().await;
        answer.assert_conflict("Device dispense in status stopped cannot be stopped");

        esoz_with_input(&variables, &["token", "revoke", "-"], token.expose()).assert_success();
        ask(Method::PATCH, &base, &stop).token(&token).send().await.assert_invalid_token();
        esoz(&variables, &["token", "revoke", "unknown"]).assert_failure("there is no such token");

        let token = issue("private_contracts:write");
        let issued = esoz(&variables, &["api-key", "issue", "--client", &lines.legal_entity, "--scope", "private_contracts:write"]);
        let key = Secret::new(issued.assert_success().stdout.trim_end());
        let update = || {
            let body = json!({"division_id": lines.divisions[1], "contract_id": lines.contract});
            let path = update_path(&lines.contract_division);
            ask(Method::PUT, &base, &path).token(&token).api_key(&key).json(&body).send()
        };
        assert_eq!(update().await.status, 200);
        esoz(&variables, &["api-key", "revoke", key.expose()]).assert_success();
        update().await.assert_error(401, "access_denied", "Invalid api key");
        esoz(&variables, &["api-key", "revoke", key.expose()]).assert_success();

        wait_for("the event", DEADLINE, async || {
            let messages = stores.delivered().messages().await;
            messages.iter().any(|message| message.key == lines.dispense).then_some(())
        })
        .await;
        let log = server.stderr().join("\n");
        for hidden in [token.expose(), key.expose(), &lines.patient] {
            assert!(!log.contains(hidden), "the log shows what it must not");
        }
    }

    async fn a_bad_line_is_told_and_the_good_ones_are_kept(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        let lines = Lines::new();
        let mut values: Vec<String> = lines.values().iter().map(Value::to_string).collect();
        values.insert(1, "{broken".to_owned());
        values.insert(3, json!({"kind": "elephant", "data": {}}).to_string());
        let orphan = fresh().to_string();
        let mut division = lines.values()[1].clone();
        division["data"]["id"] = json!(fresh().to_string());
        division["data"]["legal_entity_id"] = json!(orphan);
        values.push(division.to_string());

        let data = file(&values.join("\n"));
        let imported = esoz(&variables, &["import", data.path().to_str().unwrap()]);
        assert_eq!(imported.status.code(), Some(1), "{}", imported.stderr);
        for told in ["line 2:", "line 4:", "line 9:"] {
            assert!(imported.stderr.contains(told), "{told} is missing: {}", imported.stderr);
        }
        assert!(imported.stdout.contains("9 lines, 3 bad"), "{}", imported.stdout);
        assert!(imported.stdout.contains("device_dispense: 1 created, 0 updated, 0 kept"), "{}", imported.stdout);
        assert!(!imported.stderr.contains(&lines.patient), "a patient id is told");

        // Once mended, the whole file again.
        let mended = esoz_with_input(&variables, &["import", "-"], &lines.text());
        mended.assert_success();
        assert!(mended.stdout.contains("device_dispense: 0 created, 0 updated, 1 kept"), "{}", mended.stdout);
        let as_json = esoz_with_input(&variables, &["import", "--json", "-"], &lines.text());
        let report: Value = serde_json::from_str(&as_json.assert_success().stdout).unwrap();
        assert_eq!(report["lines"], 6);
        assert_eq!(report["totals"]["device_dispense"], json!({"created": 0, "updated": 0, "kept": 1}));
    }

    async fn events_are_printed_where_they_are(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        match kind {
            esoz_tests::Kind::Servers => {
                esoz(&variables, &["events"]).assert_failure("events go to the Kafka topic");
            }
            esoz_tests::Kind::Sqlite => {
                let lines = Lines::new();
                esoz_with_input(&variables, &["import", "-"], &lines.text()).assert_success();
                assert_eq!(esoz(&variables, &["events"]).assert_success().stdout, "");
                let follower = Process::start(&variables, &["events", "--follow"]);
                let (server, base) = Process::serve(&variables);
                let arguments = ["token", "issue", "--user", &lines.patient, "--client", &lines.legal_entity, "--scope", "device_dispense:stop"];
                let token = Secret::new(esoz(&variables, &arguments).assert_success().stdout.trim_end());
                let stop = stop_path(&lines.patient, &lines.dispense);
                assert_eq!(ask(Method::PATCH, &base, &stop).token(&token).send().await.status, 200);
                let followed: Value = serde_json::from_str(&follower.wait_for_lines(1)[0]).unwrap();
                assert_eq!(followed["entity_id"], lines.dispense.as_str());
                let printed = esoz(&variables, &["events"]);
                assert_eq!(serde_json::from_str::<Value>(&printed.assert_success().stdout).unwrap(), followed);
                drop(server);
            }
        }
    }
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let page = esoz(&[], &["man"]);
    let page = &page.assert_success().stdout;
    let completions = esoz(&[], &["completions", "bash"]);
    let completions = &completions.assert_success().stdout;
    for command in [
        "demo", "serve", "migrate", "import", "token", "api-key", "user", "client", "events", "config",
        "doctor",
    ] {
        assert!(completions.contains(command), "{command} is not completed");
        assert!(page.replace('\\', "").contains(command), "{command} is not in the manual");
    }
    let unknown = esoz(&[], &["elephant"]);
    assert_eq!(unknown.status.code(), Some(2));
    let help = esoz(&[], &["--help"]);
    assert!(help.assert_success().stdout.contains("Exit codes:"));
}
