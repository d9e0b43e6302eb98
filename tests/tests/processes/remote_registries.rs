//! Registries that are kept elsewhere, as the program says that they are there. (What becomes of requests: `conformance::remote_registries`.)

use esoz_tests::process::{Process, esoz};
use esoz_tests::{Kind, RegistryServer, Setup, TestStores};

use crate::postgres_health::until_ready_is;
use crate::{environment, with};

#[tokio::test(flavor = "multi_thread")]
async fn registries_elsewhere_are_told_by_ready_doctor_metric_and_log() {
    let registries = RegistryServer::start();
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = with(environment(&stores), "ESOZ_METRICS__BIND", "127.0.0.1:0");
    esoz(&variables, &["migrate"]).assert_success();
    let app = Setup::new(Kind::Sqlite).start_on(stores).await;
    let named = registries.variables("");
    let variables = named.iter().fold(variables, |variables, (name, value)| with(variables, name, value));
    let (server, base) = Process::serve(&variables);
    until_ready_is(&app, &base, 200).await;
    esoz(&variables, &["config", "check"]).assert_success();
    let examined = esoz(&variables, &["doctor"]);
    assert!(examined.assert_success().stdout.contains("ok     registries"), "{}", examined.stdout);

    registries.set_down(true);
    let ready = until_ready_is(&app, &base, 503).await;
    let told = ready.body["error"]["message"].as_str().unwrap();
    assert!(told.contains("registries is down") && told.contains("(needed by device_dispenses)"), "{told}");
    server.wait_for_log("about legal_entities");
    let scraped = server.scrape().await;
    assert!(scraped.contains("esoz_component_up{component=\"registries\"} 0"), "{scraped}");
    let examined = esoz(&variables, &["doctor"]);
    assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
    assert!(examined.stdout.contains("WRONG  registries"), "{}", examined.stdout);

    registries.set_down(false);
    until_ready_is(&app, &base, 200).await;
    let (_, token) = named.iter().find(|(name, _)| name.ends_with("__TOKEN")).unwrap();
    assert!(!server.stderr().join("\n").contains(token));
}
