//! What is stored and what was delivered, seen past every adapter: for the contract suites and the black-box tests. A mistake that an
//! adapter makes twice, writing and reading, shows here.
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot look cannot go on"
)]

mod kafka;
mod mongo;
mod postgres;
mod sqlite;

pub use kafka::KafkaTopic;
pub use mongo::{MongoDocuments, admin_command};
pub use postgres::PostgresAudit;
pub use sqlite::SqliteFile;

use esoz_kernel::UserId;
use serde_json::Value;

use esoz_testkit::contract::AuditRow;

/// An audit row from its columns as JSON.
fn audit_row(row: &Value) -> AuditRow {
    let text = |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned);
    let object = |column: &str| row.get(column).filter(|value| !value.is_null()).cloned();
    let actor_id: UserId = text("actor_id").expect("actor_id").parse().unwrap();
    AuditRow {
        actor_id,
        resource: text("resource").expect("resource"),
        action: text("action").expect("action"),
        before: object("before"),
        after: object("after"),
        request_id: text("request_id"),
    }
}
