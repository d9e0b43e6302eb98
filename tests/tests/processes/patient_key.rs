//! A server with another patient key than the store's.

use esoz_testkit::wait::wait_for_blocking;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{DEADLINE, Kind, PATIENT_KEY, TestStores, on_every_store};

use crate::idempotency::behind_a_proxy;
use crate::{environment, with};

const OTHER_KEY: &str = "another secret that only tests know";
const AES_KEY: [(&str, &str); 3] = [
    ("ESOZ_PATIENT__PSEUDONYM", "aes-128-cbc"),
    ("ESOZ_PATIENT__KEY", "8grv872gt3trc92b"),
    ("ESOZ_PATIENT__IV", "99yBSYB*Y99yr932"),
];

/// Part of what is said of a key that is not the store's.
const TOLD: &str = "`patient.key` with `patient.pseudonym` gives other pseudonyms than those in the store";
const REMEDY: &str = "`esoz migrate --accept-patient-key`";

type Variables = Vec<(String, String)>;

fn with_key(variables: &Variables, key: &str) -> Variables {
    let others = variables.iter().filter(|(name, _)| name != "ESOZ_PATIENT__KEY").cloned();
    with(others.collect(), "ESOZ_PATIENT__KEY", key)
}

fn assert_refused(variables: &Variables) {
    let variables = with(variables.clone(), "ESOZ_HTTP__BIND", "127.0.0.1:0");
    for arguments in [&["serve"][..], &["import", "/dev/null"]] {
        let refused = esoz(&variables, arguments);
        refused.assert_failure(TOLD).assert_failure(REMEDY);
        assert!(!refused.stderr.contains(OTHER_KEY) && !refused.stderr.contains(PATIENT_KEY));
    }
    let examined = esoz(&variables, &["doctor"]);
    assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
    let wrong = examined.stdout.lines().find(|line| line.starts_with("WRONG")).unwrap();
    assert!(wrong.starts_with("WRONG  patient key: ") && wrong.contains(TOLD), "{wrong}");
    assert!(examined.stdout.contains(REMEDY), "{}", examined.stdout);
}

on_every_store! {
    async fn another_patient_key_or_scheme_is_refused_until_it_is_accepted(kind) {
        // given: a store that was served once
        let stores = TestStores::fresh(kind).await;
        let first = environment(&stores);
        esoz(&first, &["migrate"]).assert_success();
        let examined = esoz(&first, &["doctor"]);
        assert!(examined.stdout.contains("ok     patient key: the store has none yet"), "{}", examined.stdout);
        drop(Process::serve(&first));
        let examined = esoz(&first, &["doctor"]);
        assert!(examined.stdout.contains("ok     patient key\n"), "{}", examined.stdout);
        // then: no other is taken
        let other = with_key(&first, OTHER_KEY);
        let aes: Variables = AES_KEY.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let aes = [first.clone(), aes].concat();
        assert_refused(&other);
        assert_refused(&aes);
        esoz(&other, &["migrate"]).assert_success();
        assert_refused(&other);
        // when: pseudonyms were made anew
        esoz(&other, &["migrate", "--accept-patient-key"]).assert_success();
        // then
        assert_refused(&first);
        drop(Process::serve(&other));
        esoz(&other, &["import", "/dev/null"]).assert_success();
    }

    async fn of_two_first_starts_with_two_keys_one_serves_and_the_other_is_refused(kind) {
        let stores = TestStores::fresh(kind).await;
        let first = with(environment(&stores), "ESOZ_HTTP__BIND", "127.0.0.1:0");
        let second = with_key(&first, OTHER_KEY);
        let servers = [&first, &second].map(|variables| Process::start(variables, &["serve"]));
        let is_told = |server: &Process, text: &str| server.stderr().iter().any(|line| line.contains(text));
        let refused = wait_for_blocking("one that serves and one that is refused", DEADLINE, || {
            let serves = servers.iter().filter(|server| is_told(server, "listening on http")).count();
            let refused: Vec<usize> = (0..2).filter(|number| is_told(&servers[*number], TOLD)).collect();
            if (serves, refused.len()) == (1, 1) { Ok(refused[0]) } else { Err(format!("{serves} serve")) }
        });
        let [mut first, mut second] = servers;
        let refused = if refused == 0 { &mut first } else { &mut second };
        assert_eq!(refused.wait().code(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reaches_a_store_of_another_key_later_stops() {
    // given: a server that cannot reach MongoDB
    let stores = TestStores::fresh(Kind::Servers).await;
    let first = environment(&stores);
    drop(Process::serve(&first));
    let (proxy, there) = behind_a_proxy(&with_key(&first, OTHER_KEY), "ESOZ_MONGODB__URI");
    let there = with(there, "ESOZ_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "500");
    proxy.cut();
    let (mut server, _) = Process::serve(&there);
    server.wait_for_log("cannot be told until the store is reached");
    // when
    proxy.heal();
    // then
    server.wait_for_log(TOLD);
    assert_eq!(server.wait().code(), Some(1));
}
