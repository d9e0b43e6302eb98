use async_trait::async_trait;
use esoz_kernel::ContractDivisionId;
use serde_json::Value;

use super::audit_row;
use crate::contract::{Audit, AuditRow};
use crate::servers::PostgresAddress;

/// The audit log of a PostgreSQL database.
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
