//! S17: many stops of one dispense at once.

use esoz_tests::{StopFixture, TestApp, on_every_store};

use crate::stop::history;

const AT_ONCE: usize = 32;

on_every_store! {
    async fn s17_stops_at_once(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let requests = (0..AT_ONCE).map(|_| tokio::spawn(fixture.request(&app).send()));
        let mut won = 0;
        for request in requests.collect::<Vec<_>>() {
            let answer = request.await.unwrap();
            if answer.status == 200 {
                won += 1;
                answer.assert_data(&fixture.stopped(&fixture.dispense, crate::NOW_MILLIS));
            } else {
                answer.assert_conflict("Device dispense in status stopped cannot be stopped");
            }
        }
        assert_eq!(won, 1);
        assert_eq!(history(&app, &fixture).await, 2);
        assert_eq!(app.events_of(&fixture.dispense).await.len(), 1);
    }
}
