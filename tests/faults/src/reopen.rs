//! Another system that sets stopped dispenses in progress again, past the servers under test.

use std::sync::Arc;

use bson::{Bson, doc};
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{Clock as _, DispenseId};
use esoz_testkit::builders::fresh;
use esoz_tests::TestStores;

use crate::history::{Action, Operation, Outcome, Recorder};

/// The other system.
#[derive(Clone)]
pub struct Reopening {
    stores: Arc<TestStores>,
}

impl Reopening {
    /// On those stores.
    pub const fn on(stores: Arc<TestStores>) -> Self {
        Self { stores }
    }

    /// Sets the dispense in progress, if it is stopped; takes it down, unless it is not.
    pub async fn reopen(&self, recorder: &Recorder, client: u32, dispense: &str) {
        // A user of its own tells its entry in the history from all others.
        let user = fresh();
        let begun = recorder.begin();
        let outcome = match self.change(dispense, user).await {
            Ok(true) => Outcome::Done { at: String::new(), by: user.to_string(), state: Vec::new() },
            Ok(false) => return,
            Err(why) => Outcome::Unanswered { why },
        };
        recorder.record(Operation {
            number: begun.number,
            client,
            action: Action::Reopen { dispense: dispense.to_owned() },
            token: None,
            user: user.to_string(),
            request_id: format!("reopening-{}", begun.number),
            key: None,
            // Nobody needs to know what became of it: the store tells.
            again: Some(begun.number),
            started_us: begun.started_us,
            ended_us: recorder.now_us(),
            outcome,
        });
    }

    async fn change(&self, dispense: &str, user: esoz_kernel::Uuid) -> Result<bool, String> {
        let now = SystemClock.now();
        if let Some(documents) = self.stores.documents() {
            let id: DispenseId = dispense.parse().map_err(|_| String::from("no id"))?;
            let at = Bson::DateTime(bson::DateTime::from_millis(now.as_millisecond()));
            let by = Bson::from(bson::Uuid::from_bytes(user.into_bytes()));
            let change = doc! {
                "$set": {"status": "in_progress", "updated_at": at.clone(), "updated_by": by.clone()},
                "$push": {"status_history": {"status": "in_progress", "inserted_at": at, "inserted_by": by}},
            };
            return documents.change(id, doc! {"status": "stopped"}, change).await;
        }
        let Some(file) = self.stores.file() else { return Err(String::from("no store of dispenses")) };
        let at = rfc3339_millis(now);
        let sql = format!(
            "UPDATE device_dispenses SET document = json_set(document, '$.status', 'in_progress', '$.updated_at', '{at}', \
             '$.updated_by', '{user}', '$.status_history[#]', json_object('status', 'in_progress', 'inserted_at', '{at}', \
             'inserted_by', '{user}')) WHERE id = '{dispense}' AND status = 'stopped'"
        );
        file.change(&sql).map(|changed| changed == 1)
    }
}
