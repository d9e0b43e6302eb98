//! A PostgreSQL that cannot be written, or would not audit what is written, while a server uses it.

use esoz_testkit::wait::wait_for;
use esoz_tests::process::{Process, esoz};
use esoz_tests::{Answer, DEADLINE, Kind, TestApp, TestStores, UpdateFixture};
use reqwest::Method;

use crate::kill::onlooker;
use crate::{environment, with};

pub(crate) async fn until_ready_is(app: &TestApp, base: &str, status: u16) -> Answer {
    wait_for(&format!("{status} for readiness"), DEADLINE, async || {
        let answer = app.request_at(base, Method::GET, "/health/ready").send().await;
        if answer.status == status { Ok(answer) } else { Err(answer.body.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_postgresql_from_writing_is_told_by_ready_doctor_metric_and_log_and_ends_by_itself() {
    // given
    let stores = TestStores::fresh(Kind::Servers).await;
    let variables = with(environment(&stores), "ESOZ_METRICS__BIND", "127.0.0.1:0");
    let name = stores.database().unwrap().execute("SELECT current_database()");
    let app = onlooker(Kind::Servers, stores).await;
    let fixture = UpdateFixture::load(&app).await;
    let (process, base) = Process::serve(&variables);
    let update = async || {
        let request = app.request_at(&base, Method::PUT, &fixture.path());
        request.api_key(&fixture.api_key).token(&fixture.token).json(&fixture.change()).send().await
    };
    for (off, on, why) in [
        (
            "ALTER TABLE contract_divisions DISABLE TRIGGER USER".to_owned(),
            "ALTER TABLE contract_divisions ENABLE ALWAYS TRIGGER contract_divisions_audit".to_owned(),
            "the audit trigger is off or gone",
        ),
        (
            format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
            format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"),
            "it takes no writes: it is a standby, or default_transaction_read_only is on",
        ),
    ] {
        until_ready_is(&app, &base, 200).await;
        // when: and new sessions find it so
        app.test_stores.database().unwrap().execute(&off);
        app.test_stores.database().unwrap().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'esoz'",
        );
        // then
        let ready = until_ready_is(&app, &base, 503).await;
        assert!(ready.body.to_string().contains("postgresql"), "{}", ready.body);
        // Its cause may be that the connection was lost: what comes next is told by the doctor.
        process.wait_for_log("is down");
        update().await.assert_unavailable();
        let scraped = process.scrape().await;
        assert!(scraped.contains("esoz_component_up{component=\"postgresql\"} 0"), "{scraped}");
        let examined = esoz(&variables, &["doctor"]);
        assert_eq!(examined.status.code(), Some(1), "{}", examined.stdout);
        assert!(
            examined.stdout.contains("WRONG  PostgreSQL") && examined.stdout.contains(why),
            "{}",
            examined.stdout
        );
        // when
        app.test_stores.database().unwrap().execute(&on);
        // then
        until_ready_is(&app, &base, 200).await;
        esoz(&variables, &["doctor"]).assert_success();
    }
    fixture.assert_untouched(&app).await;
    assert_eq!(update().await.status, 200);
}
