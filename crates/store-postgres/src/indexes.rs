//! The indexes that questions and locks rely on, as the migrations create them.

use diesel::dsl::sql;
use diesel::sql_types::{Array, Text};
use esoz_kernel::StoreError;

use crate::PostgresStore;
use crate::error::During as _;

/// Every index but those of keys. A test compares them with a migrated database.
const INDEXES: [&str; 24] = [
    "access_tokens_client_id",
    "access_tokens_user_id",
    "api_keys_client_id",
    "audit_log_resource",
    "contract_divisions_active_pair",
    "contract_divisions_contract_id",
    "contract_divisions_division_id",
    "contract_divisions_inserted_at",
    "contracts_contractor_legal_entity_id",
    "device_definitions_classification_type",
    "divisions_legal_entity_id",
    "employees_legal_entity_id",
    "employees_party_id",
    "event_log_entity_type",
    "event_log_event_time",
    "event_log_event_type",
    "idempotency_keys_updated_at",
    "outbox_claimed_by",
    "outbox_entity_id",
    "outbox_event_id_key",
    "outbox_set_aside_at",
    "party_users_party_id",
    "program_devices_device_definition_id",
    "program_devices_program_id",
];

impl PostgresStore {
    /// The names of indexes that are not there, or whose build did not end. Without one the service works, but slowly, and without
    /// `contract_divisions_active_pair` it may keep a pair twice.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        let missing = format!(
            "ARRAY(SELECT name FROM unnest('{{{}}}'::text[]) AS name WHERE NOT EXISTS (
                SELECT FROM pg_catalog.pg_class AS index
                JOIN pg_catalog.pg_index AS built ON built.indexrelid = index.oid AND built.indisvalid
                WHERE index.relname = name AND index.relnamespace = 'public'::regnamespace))",
            INDEXES.join(",")
        );
        let query = diesel::select(sql::<Array<Text>>(&missing));
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
    async fn the_indexes_are_those_of_a_migrated_database_and_one_that_is_dropped_is_missed() {
        let server = shared::postgres();
        let url = server.create_database().unwrap();
        let settings = PostgresSettings::new(&url);
        migrate(&settings).await.unwrap();
        let there = "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE relnamespace = 'public'::regnamespace AND NOT indisprimary ORDER BY relname";
        let there = server.query_in(&url, there).unwrap();
        let there: Vec<&str> = there.lines().filter(|name| !name.starts_with("__diesel")).collect();
        assert_eq!(there, INDEXES);

        let store = PostgresStore::connect(&settings).unwrap();
        assert_eq!(store.missing_indexes().await.unwrap(), Vec::<String>::new());
        server.query_in(&url, "DROP INDEX event_log_event_type").unwrap();
        assert_eq!(store.missing_indexes().await.unwrap(), ["event_log_event_type"]);
    }
}
