//! The indexes that questions and locks rely on, as the migrations create them.

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::{Array, Text};
use diesel::{QueryResult, RunQueryDsl as _};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use esoz_kernel::StoreError;

use crate::PostgresStore;
use crate::error::During as _;

/// Every index but those of keys: its name and its statement, as the server tells it. A test compares them with a migrated database.
const INDEXES: [(&str, &str); 24] = [
    (
        "access_tokens_client_id",
        "CREATE INDEX access_tokens_client_id ON public.access_tokens USING btree (client_id)",
    ),
    (
        "access_tokens_user_id",
        "CREATE INDEX access_tokens_user_id ON public.access_tokens USING btree (user_id)",
    ),
    ("api_keys_client_id", "CREATE INDEX api_keys_client_id ON public.api_keys USING btree (client_id)"),
    (
        "audit_log_resource",
        "CREATE INDEX audit_log_resource ON public.audit_log USING btree (resource, resource_id, id)",
    ),
    (
        "contract_divisions_active_pair",
        "CREATE UNIQUE INDEX contract_divisions_active_pair ON public.contract_divisions USING btree (contract_id, division_id) WHERE is_active",
    ),
    (
        "contract_divisions_contract_id",
        "CREATE INDEX contract_divisions_contract_id ON public.contract_divisions USING btree (contract_id)",
    ),
    (
        "contract_divisions_division_id",
        "CREATE INDEX contract_divisions_division_id ON public.contract_divisions USING btree (division_id)",
    ),
    (
        "contract_divisions_inserted_at",
        "CREATE INDEX contract_divisions_inserted_at ON public.contract_divisions USING btree (inserted_at, id) WHERE is_active",
    ),
    (
        "contracts_contractor_legal_entity_id",
        "CREATE INDEX contracts_contractor_legal_entity_id ON public.contracts USING btree (contractor_legal_entity_id)",
    ),
    (
        "device_definitions_classification_type",
        "CREATE INDEX device_definitions_classification_type ON public.device_definitions USING btree (classification_type)",
    ),
    (
        "divisions_legal_entity_id",
        "CREATE INDEX divisions_legal_entity_id ON public.divisions USING btree (legal_entity_id)",
    ),
    (
        "employees_legal_entity_id",
        "CREATE INDEX employees_legal_entity_id ON public.employees USING btree (legal_entity_id)",
    ),
    ("employees_party_id", "CREATE INDEX employees_party_id ON public.employees USING btree (party_id)"),
    (
        "event_log_entity_type",
        "CREATE INDEX event_log_entity_type ON public.event_log USING btree (entity_type, event_time, id)",
    ),
    (
        "event_log_event_time",
        "CREATE INDEX event_log_event_time ON public.event_log USING btree (event_time, id)",
    ),
    (
        "event_log_event_type",
        "CREATE INDEX event_log_event_type ON public.event_log USING btree (event_type, event_time, id)",
    ),
    (
        "idempotency_keys_updated_at",
        "CREATE INDEX idempotency_keys_updated_at ON public.idempotency_keys USING btree (updated_at)",
    ),
    (
        "outbox_claimed_by",
        "CREATE INDEX outbox_claimed_by ON public.outbox USING btree (claimed_by) WHERE (claimed_by IS NOT NULL)",
    ),
    ("outbox_entity_id", "CREATE INDEX outbox_entity_id ON public.outbox USING btree (entity_id, sequence)"),
    (
        "outbox_event_id_key",
        "CREATE UNIQUE INDEX outbox_event_id_key ON public.outbox USING btree (event_id)",
    ),
    (
        "outbox_set_aside_at",
        "CREATE INDEX outbox_set_aside_at ON public.outbox USING btree (set_aside_at) WHERE (set_aside_at IS NOT NULL)",
    ),
    (
        "party_users_party_id",
        "CREATE INDEX party_users_party_id ON public.party_users USING btree (party_id)",
    ),
    (
        "program_devices_device_definition_id",
        "CREATE INDEX program_devices_device_definition_id ON public.program_devices USING btree (device_definition_id)",
    ),
    (
        "program_devices_program_id",
        "CREATE INDEX program_devices_program_id ON public.program_devices USING btree (program_id, device_definition_id)",
    ),
];

/// Selects the names of indexes that are not there, or whose build did not end.
fn missing() -> String {
    let names = INDEXES.map(|(name, _)| name).join(",");
    format!(
        "ARRAY(SELECT name FROM unnest('{{{names}}}'::text[]) AS name WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_class AS index
            JOIN pg_catalog.pg_index AS built ON built.indexrelid = index.oid AND built.indisvalid
            WHERE index.relname = name AND index.relnamespace = 'public'::regnamespace))"
    )
}

/// Creates the indexes that are missing, and returns their names. It blocks no statement of a running service, and waits for older transactions.
pub(crate) fn create_missing(db: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> QueryResult<Vec<String>> {
    let missing: Vec<String> = diesel::select(sql::<Array<Text>>(&missing())).get_result(db)?;
    for (name, statement) in INDEXES.iter().filter(|(name, _)| missing.iter().any(|missing| missing == name))
    {
        db.batch_execute("SET lock_timeout = '10min'")?;
        // What an interrupted build left.
        db.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS public.{name}"))?;
        db.batch_execute(&statement.replacen("INDEX", "INDEX CONCURRENTLY", 1))?;
        tracing::info!(name, "the missing index was created");
    }
    Ok(missing)
}

impl PostgresStore {
    /// The names of indexes that are not there, or whose build did not end; [`migrate`](crate::migrate) creates them.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        let query = diesel::select(sql::<Array<Text>>(&missing()));
        let found = self.connections.query::<Vec<String>, _>(query).await;
        Ok(found.during("looking for the indexes of PostgreSQL")?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use esoz_test_servers::shared;

    use super::*;
    use crate::{PostgresSettings, migrate};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_indexes_are_those_of_a_migrated_database_and_those_that_were_dropped_are_missed_and_created_again()
     {
        let server = shared::postgres();
        let url = server.create_database().unwrap();
        let settings = PostgresSettings::new(&url);
        migrate(&settings).await.unwrap();
        let defined = || {
            let defined = "SELECT relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                WHERE relnamespace = 'public'::regnamespace AND NOT indisprimary ORDER BY relname";
            let rows = server.query_in(&url, defined).unwrap();
            let rows = rows.lines().filter(|row| !row.starts_with("__diesel"));
            rows.map(|row| {
                row.split_once('|').map(|(name, statement)| (name.to_owned(), statement.to_owned()))
            })
            .collect::<Option<Vec<_>>>()
            .unwrap()
        };
        let expected = INDEXES.map(|(name, statement)| (name.to_owned(), statement.to_owned()));
        assert_eq!(defined(), expected);

        let store = PostgresStore::connect(&settings).unwrap();
        assert_eq!(store.missing_indexes().await.unwrap(), Vec::<String>::new());
        let dropped = ["contract_divisions_active_pair", "event_log_event_type", "outbox_event_id_key"];
        for drop in [
            "ALTER TABLE outbox DROP CONSTRAINT outbox_event_id_key",
            "DROP INDEX contract_divisions_active_pair, event_log_event_type",
        ] {
            server.query_in(&url, drop).unwrap();
        }
        assert_eq!(store.missing_indexes().await.unwrap(), dropped);
        let created = migrate(&settings).await.unwrap().applied;
        assert_eq!(created, dropped.map(|name| format!("index {name}")));
        assert_eq!(defined(), expected);
    }
}
