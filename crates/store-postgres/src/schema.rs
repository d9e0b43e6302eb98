//! The tables that the query builder needs, as the migrations create them. A test compares them with a migrated database.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    users (id) {
        id -> Uuid,
        is_blocked -> Bool,
    }
}

table! {
    clients (id) {
        id -> Uuid,
        is_blocked -> Bool,
    }
}

table! {
    access_tokens (digest) {
        digest -> Bytea,
        kind -> Text,
        user_id -> Uuid,
        client_id -> Uuid,
        scope -> Text,
        expires_at -> Timestamptz,
        issued_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

table! {
    api_keys (digest) {
        digest -> Bytea,
        client_id -> Uuid,
        scope -> Text,
        issued_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

table! {
    legal_entities (id) {
        id -> Uuid,
        name -> Text,
        edrpou -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        is_active -> Bool,
        inserted_at -> Timestamptz,
        inserted_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

table! {
    divisions (id) {
        id -> Uuid,
        legal_entity_id -> Uuid,
        name -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        is_active -> Bool,
        dls_verified -> Nullable<Bool>,
        inserted_at -> Timestamptz,
        inserted_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

table! {
    contracts (id) {
        id -> Uuid,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        contract_number -> Text,
        contractor_legal_entity_id -> Uuid,
        start_date -> Date,
        end_date -> Date,
        is_active -> Bool,
        is_suspended -> Bool,
        inserted_at -> Timestamptz,
        inserted_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

table! {
    contract_divisions (id) {
        id -> Uuid,
        contract_id -> Uuid,
        division_id -> Uuid,
        is_active -> Bool,
        inserted_at -> Timestamptz,
        inserted_by -> Uuid,
        updated_at -> Timestamptz,
        updated_by -> Uuid,
    }
}

table! {
    outbox (sequence) {
        sequence -> Int8,
        event_id -> Uuid,
        entity_type -> Text,
        entity_id -> Uuid,
        new_status -> Text,
        event_time -> Timestamptz,
        changed_by -> Uuid,
        request_id -> Text,
        traceparent -> Nullable<Text>,
        claimed_by -> Nullable<Uuid>,
        claimed_until -> Nullable<Timestamptz>,
        set_aside_at -> Nullable<Timestamptz>,
        set_aside_reason -> Nullable<Text>,
    }
}

table! {
    schema_compatibility (version) {
        version -> Text,
        works_from -> Text,
    }
}

joinable!(access_tokens -> users (user_id));
joinable!(access_tokens -> clients (client_id));
joinable!(api_keys -> clients (client_id));
allow_tables_to_appear_in_same_query!(access_tokens, users, clients);
allow_tables_to_appear_in_same_query!(api_keys, clients);
