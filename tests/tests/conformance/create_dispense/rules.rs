//! N01 to N33: a create, one thing wrong at a time, and each rule with the one after it.

use esoz_auth::Scope;
use esoz_kernel::DispenseId;
use esoz_registries::{PersonStatus, VerificationStatus};
use esoz_testkit::builders::{client, fresh};
use esoz_tests::{CreateFixture, Kind, Setup, TestApp, dispenses_path, on_every_store};
use reqwest::Method;
use serde_json::json;

use super::cases::{Case, DETAILS, PEOPLE, REQUEST, by_code, detail};
use super::{Told, assert_nothing_happened, strict};
use crate::tokens::every_wrong_token;

const MISSING: &str =
    "Your scope does not allow to access this resource. Missing allowances: device_dispense:write";
const PRICE_MISSING: &str = "Required property sell_price was not present";

/// A create with these things wrong, the last one first, is told that, and stores nothing.
async fn refuses(app: &TestApp, wrong: &[&Case], told: Told) {
    let mut fixture = CreateFixture::new(app);
    let mut body = fixture.body();
    for case in wrong.iter().rev() {
        (case.spoil)(&mut fixture, &mut body);
    }
    fixture.store(app).await;
    let id: DispenseId = body["id"].as_str().unwrap().parse().unwrap();
    let stored = async || {
        let found = app.stores.dispenses.find(id).await.unwrap();
        found.map(|stored| stored.dispense.unwrap())
    };
    let before = stored().await;
    let what: Vec<String> = wrong.iter().map(|case| format!("{}: {}", case.rule, case.what)).collect();
    let answer = fixture.create(app, &body).await;
    assert_eq!(answer.status, told.status(), "{what:?}: {:#}", answer.body);
    told.assert_is(&answer);
    assert_eq!(stored().await, before, "{what:?}");
}

/// Each case alone, and the first of each rule together with the first of the next.
async fn refuses_each(kind: Kind, cases: &[Case]) {
    let app = strict(kind).start().await;
    for case in cases {
        refuses(&app, &[case], case.told).await;
    }
    let mut firsts: Vec<&Case> = cases.iter().collect();
    firsts.dedup_by_key(|case| case.rule);
    for pair in firsts.windows(2) {
        refuses(&app, pair, pair[0].told).await;
    }
    assert_nothing_happened(&app).await;
    // With nothing wrong it is recorded.
    let fixture = CreateFixture::load(&app).await;
    assert_eq!(fixture.create(&app, &fixture.body()).await.status, 201);
}

/// A create of the fixture, changed, is recorded.
async fn takes(app: &TestApp, change: fn(&mut CreateFixture)) {
    let mut fixture = CreateFixture::new(app);
    change(&mut fixture);
    fixture.store(app).await;
    let answer = fixture.create(app, &fixture.body()).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
}

on_every_store! {
    async fn n01_and_n02_token_and_scope(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let anybody = || app.request(Method::POST, &fixture.path()).json(&fixture.body());
        every_wrong_token(&app, &fixture.stored_token, &fixture.token, anybody).await;
        for scope in ["", "device_dispense:read device_dispense:stop", "device_dispense:writer"] {
            let token = fixture.issue(&app, |token| token.scope = Scope::parse(scope)).await;
            anybody().token(&token).send().await.assert_error(403, "forbidden", MISSING);
            // Before the body is looked at.
            let broken = app.request(Method::POST, &fixture.path()).token(&token).body("{broken");
            broken.send().await.assert_error(403, "forbidden", MISSING);
        }
        assert_nothing_happened(&app).await;
        assert_eq!(fixture.create(&app, &fixture.body()).await.status, 201);
    }

    async fn n03_and_n04_body_and_legal_entity(kind) {
        let setup = Setup::new(kind).variable("ESOZ_LEGAL_ENTITY__ALLOWED_TYPES", "MSP, PRIMARY_CARE");
        let app = setup.start().await;
        let fixture = CreateFixture::load(&app).await;
        fixture.create(&app, &fixture.body()).await.assert_conflict("Invalid LegalEntity type");
        let nobody = fixture.issue(&app, |token| token.client_id = client()).await;
        let not_active = "client_id refers to legal entity that is not active";
        let request = app.request(Method::POST, &fixture.path()).token(&nobody);
        request.json(&fixture.body()).send().await.assert_conflict(not_active);
        // The body comes before.
        fixture.create(&app, &json!([])).await.assert_faults(&[("$", "schema")]);
        let request = app.request(Method::POST, &fixture.path()).token(&fixture.token);
        assert_eq!(request.header("content-type", "application/json").body("{").send().await.status, 400);
        assert_nothing_happened(&app).await;
    }

    async fn n05_and_n06_and_n07_and_n08_and_n09_and_n10_and_n11_and_n12_and_n13_people_and_places(kind) {
        refuses_each(kind, &PEOPLE).await;
    }

    async fn n05_patient_id_is_no_uuid(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let request = app.request(Method::POST, &dispenses_path("nobody")).token(&fixture.token);
        request.json(&fixture.body()).send().await.assert_not_found();
        let unknown = app.request(Method::POST, &dispenses_path(&fresh().to_string()));
        unknown.token(&fixture.token).json(&fixture.body()).send().await.assert_not_found();
        assert_nothing_happened(&app).await;
    }

    async fn n06_and_n13_are_not_asked_for_by_default(kind) {
        let app = TestApp::new(kind).await;
        takes(&app, |it| {
            it.records.person.facts.status = PersonStatus::Inactive;
            it.records.person.facts.verification = VerificationStatus::NotVerified;
        }).await;
        takes(&app, |it| it.records.division.dls_verified = Some(false)).await;
        takes(&app, |it| it.records.division.dls_verified = None).await;
    }

    async fn n14_and_n15_and_n16_and_n17_and_n18_and_n19_and_n20_and_n21_the_request(kind) {
        refuses_each(kind, &REQUEST).await;
    }

    async fn n22_and_n23_and_n24_and_n25_and_n26_and_n27_and_n28_and_n29_and_n30_and_n31_and_n32_and_n33_the_details(kind) {
        refuses_each(kind, &DETAILS).await;
    }

    async fn n31_prices_without_a_program(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        fixture.request.facts.program = None;
        fixture.store(&app).await;
        let mut body = fixture.body();
        detail(&mut body)["discount_amount"] = json!(0);
        let text = "Property discount_amount shouldn't be submitted if medical program is absent";
        fixture.create(&app, &body).await.assert_refused(&[("$.details[0].discount_amount", text)]);
        assert_nothing_happened(&app).await;
        assert_eq!(fixture.create(&app, &fixture.body()).await.status, 201);
    }

    async fn n31_the_faults_of_one_rule_in_all_details_are_told_together(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let mut body = fixture.body();
        body["details"] = json!([fixture.detail(50), fixture.detail(25), fixture.detail(25)]);
        let text = "The quantity must be divisible to packaging_count of prescribed Device Definition";
        let entries = ["$.details[1].quantity.value", "$.details[2].quantity.value"];
        fixture.create(&app, &body).await.assert_refused(&entries.map(|entry| (entry, text)));

        body["details"] = json!([fixture.detail(50), fixture.detail(50)]);
        for detail in body["details"].as_array_mut().unwrap() {
            detail.as_object_mut().unwrap().remove("sell_price");
        }
        // Of another rule, which is not told.
        body["details"][0]["discount_amount"] = json!(1_000);
        let faults = ["$.details[0].sell_price", "$.details[1].sell_price"].map(|entry| (entry, PRICE_MISSING));
        fixture.create(&app, &body).await.assert_refused(&faults);
        assert_nothing_happened(&app).await;
    }

    async fn n24_by_code_what_was_requested_by_code(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let mut body = fixture.body();
        by_code(&mut body, "30221");
        let answer = fixture.create(&app, &body).await;
        assert_eq!(answer.status, 201, "{:#}", answer.body);
    }
}
