//! N35: many creates at once.

use esoz_kernel::DispenseId;
use esoz_tests::{Answer, CreateFixture, TestApp, on_every_store};
use serde_json::Value;

use super::{ID_TAKEN, OTHER_ACTIVE};

const AT_ONCE: usize = 32;

/// Sends a create of each body, all at once; gives the answers that recorded one, and the others.
async fn at_once(app: &TestApp, fixture: &CreateFixture, bodies: &[Value]) -> (Vec<Answer>, Vec<Answer>) {
    let requests: Vec<_> =
        bodies.iter().map(|body| tokio::spawn(fixture.request(app, body).send())).collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    answers.into_iter().partition(|answer| answer.status == 201)
}

fn bodies(fixture: &CreateFixture) -> Vec<Value> {
    (0..AT_ONCE).map(|_| fixture.body()).collect()
}

/// Those dispenses are stored, and none of the others; each has its event.
async fn assert_stored(app: &TestApp, bodies: &[Value], recorded: &[Answer]) {
    let mut stored = 0;
    for body in bodies {
        let id: DispenseId = body["id"].as_str().unwrap().parse().unwrap();
        let is_recorded = recorded.iter().any(|answer| answer.body["data"]["id"] == body["id"]);
        let found = app.stores.dispenses.find(id).await.unwrap();
        assert_eq!(found.is_some(), is_recorded);
        stored += usize::from(is_recorded);
    }
    assert_eq!(stored, recorded.len());
    app.settled().await;
    assert_eq!(app.delivered().messages().await.len(), recorded.len(), "one event each");
}

on_every_store! {
    async fn n35_for_one_request_with_a_quantity(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let bodies = bodies(&fixture);
        let (recorded, refused) = at_once(&app, &fixture, &bodies).await;
        assert_eq!((recorded.len(), refused.len()), (1, AT_ONCE - 1));
        for answer in &refused {
            OTHER_ACTIVE.assert_is(answer);
        }
        assert_stored(&app, &bodies, &recorded).await;
    }

    async fn n35_for_one_request_without_a_quantity(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        fixture.request.facts.quantity = None;
        fixture.store(&app).await;
        let bodies = bodies(&fixture);
        let (recorded, refused) = at_once(&app, &fixture, &bodies).await;
        assert!(refused.is_empty(), "{:#}", refused[0].body);
        assert_stored(&app, &bodies, &recorded).await;
    }

    async fn n35_with_one_id(kind) {
        let app = TestApp::new(kind).await;
        let fixture = CreateFixture::load(&app).await;
        let body = fixture.body();
        let bodies = vec![body.clone(); AT_ONCE];
        let (recorded, refused) = at_once(&app, &fixture, &bodies).await;
        assert_eq!((recorded.len(), refused.len()), (1, AT_ONCE - 1));
        for answer in &refused {
            ID_TAKEN.assert_is(answer);
        }
        assert_stored(&app, &[body], &recorded).await;
    }
}
