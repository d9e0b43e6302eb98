//! `doctor`; what `serve` warns of as well; and what it says with `migrate` of a newer schema.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use esoz_test_servers::ReservedPort;
use esoz_testkit::wait::wait_for;
use esoz_tests::future_schema::{ONE_AHEAD, TAKES_AWAY};
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, Documents, Kind, PATIENT_KEY, TestStores, on_every_store};
use serde_json::Value;

use crate::{environment, with};

on_every_store! {
    async fn the_doctor_finds_nothing_wrong_where_nothing_is(kind) {
        let stores = TestStores::fresh(kind).await;
        esoz(&environment(&stores), &["migrate"]).assert_success();
        let examined = esoz(&environment(&stores), &["doctor"]);
        examined.assert_success();
        assert!(examined.stdout.lines().all(|line| line.starts_with("ok ")), "{}", examined.stdout);
        assert!(examined.stdout.contains("outbox: 0 events wait for delivery"), "{}", examined.stdout);
    }
}

#[test]
fn the_doctor_names_what_is_wrong_and_how_to_mend_it() {
    let nowhere = ReservedPort::new().unwrap();
    let address = nowhere.address();
    let variables: Vec<(String, String)> = [
        ("ESOZ_STORE__KIND", "servers".to_owned()),
        ("ESOZ_POSTGRES__URL", format!("postgres://nobody@{address}/nothing")),
        ("ESOZ_MONGODB__URI", format!("mongodb://{address}")),
        ("ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "300".to_owned()),
        ("ESOZ_KAFKA__BROKERS", address.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let examined = esoz(&variables, &["doctor", "--json"]);
    assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
    let findings: Vec<Value> =
        examined.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wrong: Vec<&str> = findings
        .iter()
        .filter(|finding| {
            finding["ok"] == false && finding["wrong"]["mend"].as_str().is_some_and(|mend| !mend.is_empty())
        })
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    assert_eq!(wrong, ["pseudonyms", "PostgreSQL", "MongoDB", "Kafka", "outbox"]);
    let text = esoz(&variables, &["doctor"]);
    assert!(text.stdout.contains("WRONG  MongoDB:"), "{}", text.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_of_postgresql_is_told_of_and_left_alone() {
    let stores = TestStores::fresh(Kind::Servers).await;
    let (variables, database) = (environment(&stores), stores.database().unwrap());
    let versions = || database.execute("SELECT version FROM __diesel_schema_migrations ORDER BY version");

    database.execute(ONE_AHEAD);
    let before = versions();
    let migrated = esoz(&variables, &["migrate"]);
    let told = &migrated.assert_success().stdout;
    assert!(told.contains("PostgreSQL: nothing was done: the schema is newer"), "{told}");
    assert!(told.contains("MongoDB: the indexes are there"), "{told}");
    let examined = esoz(&variables, &["doctor"]);
    let told = &examined.assert_success().stdout;
    assert!(told.contains("but compatible with it (unknown to it: 900001; it knows it up to 0"), "{told}");

    database.execute(TAKES_AWAY);
    let migrated = esoz(&variables, &["migrate"]);
    let told = &migrated.assert_success().stdout;
    assert!(told.contains("(unknown to it: 900001, 900002)"), "{told}");
    let examined = esoz(&variables, &["doctor"]);
    assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
    assert!(examined.stdout.contains("not made for it: update the program"), "{}", examined.stdout);
    assert_eq!(versions(), format!("{before}\n900002"));
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_that_are_missing_are_named_and_nothing_fails() {
    // given
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = environment(&stores);
    stores.database().unwrap().execute("DROP INDEX event_log_event_type");
    stores.documents().unwrap().drop_index("esoz_keys_at").await;
    // when
    let examined = esoz(&variables, &["doctor"]);
    // then
    assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
    for (server, index) in [("PostgreSQL", "event_log_event_type"), ("MongoDB", "esoz_keys_at")] {
        let wrong = format!("WRONG  {server} indexes:");
        let told = examined.stdout.lines().find(|line| line.starts_with(&wrong)).unwrap();
        assert!(told.contains(index), "{told}");
        // The server itself is well.
        assert!(examined.stdout.contains(&format!("ok     {server}\n")), "{}", examined.stdout);
    }
    // when
    let (server, base) = Process::serve(&variables);
    // then
    let told = server.wait_for_log("event_log_event_type");
    assert!(told.contains("postgresql_indexes"), "{told}");
    wait_for("a server that is ready all the same", DEADLINE, async || {
        let answer = reqwest::get(format!("{base}/health/ready")).await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        let is_told = body.contains(r#""name":"postgresql_indexes","state":"down""#);
        if status == 200 && is_told { Ok(()) } else { Err(body) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_may_read_is_told_and_no_failure() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("patient.key");
    fs::write(&path, PATIENT_KEY).unwrap();
    let mut variables = stores.variables().to_vec();
    variables.push(("ESOZ_PATIENT__KEY_FILE".to_owned(), path.display().to_string()));
    esoz(&variables, &["migrate"]).assert_success();
    for (mode, is_exposed) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let examined = esoz(&variables, &["doctor"]);
        let told = &examined.assert_success().stdout;
        assert_eq!(told.contains("ok     secret files\n"), !is_exposed, "{told}");
        let warning =
            format!("UNSAFE secret files: others may read patient.key_file {} (mode 0644)", path.display());
        assert_eq!(told.contains(&warning), is_exposed, "{told}");

        let (server, _) = Process::serve(&variables);
        let warnings = server.stderr().into_iter().filter(|line| line.contains("a file that holds a secret"));
        let warnings: Vec<String> = warnings.collect();
        assert_eq!(warnings.len(), usize::from(is_exposed), "{warnings:?}");
        assert!(warnings.iter().all(|line| line.contains("patient.key_file") && line.contains("chmod 600")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_under_its_server_is_wrong_and_a_folder_in_its_place_is_named() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = environment(&stores);
    let (_, path) = variables.iter().find(|(name, _)| name == "ESOZ_SQLITE__PATH").unwrap().clone();
    let (server, base) = Process::serve(&variables);
    let (_, address) = base.split_once("://").unwrap();
    let variables = with(variables, "ESOZ_HTTP__BIND", address);
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{path}{end}")).unwrap();
    }
    let gone = format!("WRONG  SQLite: {path} is not there, and a server runs at http.bind");
    let examined = esoz(&variables, &["doctor"]);
    assert!(examined.stdout.contains(&gone) && !examined.status.success(), "{}", examined.stdout);
    drop(server);

    fs::create_dir(&path).unwrap();
    let examined = esoz(&variables, &["doctor"]);
    for line in ["Is a directory (os error 21)", "first fix the store of dispenses"] {
        assert!(examined.stdout.contains(line), "{line} is not in {}", examined.stdout);
    }
    assert!(!examined.stdout.contains("--accept-patient-key"), "{}", examined.stdout);
}

fn with_all(variables: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    more.iter().fold(variables, |variables, (name, value)| with(variables, name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_of_signatures_and_the_media_storage_are_examined() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let documents = Documents::new();
    let variables = [environment(&stores), documents.variables().to_vec()].concat();
    esoz(&variables, &["migrate"]).assert_success();
    let nowhere = ReservedPort::new().unwrap();
    let service = format!("http://{}/", nowhere.address());
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let folder = &variables.iter().find(|(name, _)| name == "ESOZ_MEDIA__FOLDER").unwrap().1;
    for (more, expected, code) in [
        (&[][..], "ok     signature verifier\n", 0),
        (&[], "ok     media storage", 0),
        (
            &[("ESOZ_SIGNATURE__VERIFIER", "service"), ("ESOZ_SIGNATURE__URL", &service)],
            "WRONG  signature verifier: the store is unavailable while checking that",
            1,
        ),
        (
            &[("ESOZ_SIGNATURE__AUTHORITIES_FILE", file)],
            "WRONG  signature verifier: `signature.authorities_file`",
            1,
        ),
        (&[("ESOZ_MEDIA__FOLDER", file)], "WRONG  media storage: `media.folder`", 1),
        (
            &[
                ("ESOZ_SIGNATURE__VERIFIER", "unsigned"),
                ("ESOZ_SIGNATURE__ACCEPT_UNSIGNED", "true"),
                ("ESOZ_SIGNATURE__UNSIGNED_DRFO", "1234567890"),
            ],
            "UNSAFE signature verifier: ",
            0,
        ),
    ] {
        let examined = esoz(&with_all(variables.clone(), more), &["doctor"]);
        assert!(examined.stdout.contains(expected), "{expected}: {} {}", examined.stdout, examined.stderr);
        assert_eq!(examined.status.code(), Some(code), "{}", examined.stdout);
    }
    let left = fs::read_dir(folder).into_iter().flatten().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name != ".incoming"
            && fs::read_dir(entry.as_ref().unwrap().path())
                .unwrap()
                .flatten()
                .any(|entry| entry.path().is_file())
    });
    assert_eq!(left.count(), 0, "a container of the doctor is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_doctor_fails_of_a_warning() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = environment(&stores);
    esoz(&variables, &["migrate"]).assert_success();
    esoz(&variables, &["doctor", "--strict"]).assert_success();
    let weak = with_all(
        variables,
        &[
            ("ESOZ_EVENTS__BUS", "kafka"),
            ("ESOZ_KAFKA__BROKERS", "127.0.0.1:1,127.0.0.1:2"),
            ("ESOZ_KAFKA__REPLICATION", "1"),
        ],
    );
    let examined = esoz(&weak, &["doctor", "--json"]);
    let finding = |output: &str| {
        let mut findings = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        findings.find(|finding| finding["what"] == "kafka.replication").unwrap()
    };
    let found = finding(&examined.stdout);
    assert_eq!(found["ok"], true);
    let why = found["unsafe"]["why"].as_str().unwrap();
    assert!(why.starts_with("`kafka.replication` is 1: "), "{why}");
    let several = esoz(&with(weak, "ESOZ_KAFKA__REPLICATION", "3"), &["doctor", "--json"]);
    assert_eq!(finding(&several.stdout)["unsafe"], Value::Null);

    let unsafe_alone = with_all(
        environment(&stores),
        &[
            ("ESOZ_SIGNATURE__VERIFIER", "unsigned"),
            ("ESOZ_SIGNATURE__ACCEPT_UNSIGNED", "true"),
            ("ESOZ_SIGNATURE__UNSIGNED_DRFO", "1234567890"),
        ],
    );
    esoz(&unsafe_alone, &["doctor"]).assert_success();
    let strict = esoz(&unsafe_alone, &["doctor", "--strict"]);
    assert_eq!(strict.status.code(), Some(1), "{}", strict.stdout);
}
