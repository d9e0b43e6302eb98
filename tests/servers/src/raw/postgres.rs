use async_trait::async_trait;
use esoz_kernel::{ContractDivisionId, EventId};
use serde_json::Value;

use super::audit_row;
use crate::PostgresAddress;
use esoz_testkit::contract::{Audit, AuditRow, RawEventLog};

/// The audit log of a PostgreSQL database, and its other tables.
pub struct PostgresAudit {
    server: PostgresAddress,
    url: String,
}

impl PostgresAudit {
    /// The audit log of the database with that URL on that server.
    pub fn new(server: &PostgresAddress, url: &str) -> Self {
        Self { server: server.clone(), url: url.to_owned() }
    }

    /// Runs one statement as the owner of the schema.
    pub fn execute(&self, sql: &str) -> String {
        self.try_execute(sql).unwrap()
    }

    /// Every row of every table, each with the transaction that wrote it: what is the same before and after was not written, not even to
    /// what it had been.
    pub fn dump(&self) -> Vec<String> {
        let tables = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
        let of_each = tables.lines().map(|table| {
            format!("SELECT '{table}: ' || t.xmin::text || ' ' || t::text FROM public.\"{table}\" AS t")
        });
        let every_row = of_each.collect::<Vec<_>>().join(" UNION ALL ");
        self.execute(&format!("{every_row} ORDER BY 1")).lines().map(str::to_owned).collect()
    }

    /// Runs statements that may be refused.
    ///
    /// # Errors
    /// When they are.
    pub fn try_execute(&self, sql: &str) -> Result<String, String> {
        self.server.query_in(&self.url, sql).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Audit for PostgresAudit {
    async fn rows(&self, resource_id: ContractDivisionId) -> Vec<AuditRow> {
        let sql = format!(
            "SELECT coalesce(json_agg(audit_log ORDER BY id), '[]') FROM audit_log WHERE resource_id = '{resource_id}'"
        );
        let rows: Vec<Value> = serde_json::from_str(&self.execute(&sql)).unwrap();
        rows.iter().map(audit_row).collect()
    }

    async fn break_writing(&self) {
        self.execute("ALTER TABLE audit_log ADD CONSTRAINT broken_by_a_test CHECK (false) NOT VALID");
    }
}

#[async_trait]
impl RawEventLog for PostgresAudit {
    async fn make_unreadable(&self, id: EventId) {
        let changed = self.execute(&format!(
            "UPDATE event_log SET properties = '[]' WHERE id = '{id}' RETURNING 'changed'"
        ));
        assert!(changed.contains("changed"), "there is no event {id}");
    }
}
