//! The tables as the migrations leave them; a test compares the two. Triggers, checks and indexes live in `migrations/` alone.

diesel::table! {
    users (id) {
        id -> Text,
        is_blocked -> Bool,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        is_blocked -> Bool,
    }
}

diesel::table! {
    access_tokens (digest) {
        digest -> Binary,
        kind -> Text,
        user_id -> Text,
        client_id -> Text,
        scope -> Text,
        expires_at -> Text,
        issued_at -> Text,
        revoked_at -> Nullable<Text>,
    }
}

diesel::table! {
    api_keys (digest) {
        digest -> Binary,
        client_id -> Text,
        scope -> Text,
        issued_at -> Text,
        revoked_at -> Nullable<Text>,
    }
}

diesel::table! {
    legal_entities (id) {
        id -> Text,
        name -> Text,
        edrpou -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        is_active -> Bool,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    divisions (id) {
        id -> Text,
        legal_entity_id -> Text,
        name -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        is_active -> Bool,
        dls_verified -> Nullable<Bool>,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    contracts (id) {
        id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        contract_number -> Text,
        contractor_legal_entity_id -> Text,
        start_date -> Text,
        end_date -> Text,
        is_active -> Bool,
        is_suspended -> Bool,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    contract_divisions (id) {
        id -> Text,
        contract_id -> Text,
        division_id -> Text,
        is_active -> Bool,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    request_context (id) {
        id -> BigInt,
        request_id -> Nullable<Text>,
    }
}

diesel::table! {
    device_dispenses (id) {
        id -> Text,
        document -> Text,
        status -> Nullable<Text>,
        owner -> Nullable<Text>,
        subject -> Nullable<Text>,
        inserted_at -> Nullable<Text>,
        based_on -> Nullable<Text>,
    }
}

diesel::table! {
    device_requests (id) {
        id -> Text,
        subject -> Text,
        status -> Text,
        intent -> Text,
        program_id -> Nullable<Text>,
        code -> Nullable<Text>,
        code_reference -> Nullable<Text>,
        quantity_value -> Nullable<Text>,
        quantity_code -> Nullable<Text>,
        occurrence_start -> Nullable<Text>,
        occurrence_end -> Nullable<Text>,
        dispense_valid_to -> Text,
        verification_code -> Nullable<Text>,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    device_request_wrong_codes (sequence) {
        sequence -> BigInt,
        request_id -> Text,
        given_at -> Text,
    }
}

diesel::table! {
    outbox (sequence) {
        sequence -> BigInt,
        event_id -> Text,
        entity_type -> Text,
        entity_id -> Text,
        new_status -> Text,
        event_time -> Text,
        changed_by -> Text,
        request_id -> Text,
        claimed_by -> Nullable<Text>,
        claimed_until -> Nullable<Text>,
        traceparent -> Nullable<Text>,
        set_aside_at -> Nullable<Text>,
        set_aside_reason -> Nullable<Text>,
    }
}

diesel::table! {
    event_log (sequence) {
        sequence -> BigInt,
        event_id -> Text,
        json -> Text,
        attributes -> Text,
        request_id -> Nullable<Text>,
        traceparent -> Nullable<Text>,
        event_time -> Text,
        event_type -> Text,
        entity_type -> Text,
    }
}

diesel::table! {
    idempotency_keys (key) {
        key -> Binary,
        request -> Binary,
        answer -> Text,
        kept_since -> Text,
    }
}

diesel::table! {
    persons (subject) {
        subject -> Text,
        status -> Text,
        verification_status -> Text,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    parties (id) {
        id -> Text,
        tax_id_digest -> Nullable<Text>,
        users -> Text,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    party_users (user_id) {
        user_id -> Text,
        party_id -> Text,
    }
}

diesel::table! {
    employees (id) {
        id -> Text,
        party_id -> Text,
        legal_entity_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        is_active -> Bool,
        end_date -> Nullable<Text>,
        name -> Text,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    medical_programs (id) {
        id -> Text,
        name -> Text,
        #[sql_name = "type"]
        kind -> Text,
        is_active -> Bool,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    device_definitions (id) {
        id -> Text,
        name -> Text,
        is_active -> Bool,
        classification_type -> Text,
        packaging_unit -> Text,
        packaging_count -> Text,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    program_devices (id) {
        id -> Text,
        program_id -> Text,
        device_definition_id -> Text,
        is_active -> Bool,
        start_date -> Text,
        end_date -> Nullable<Text>,
        reimbursement_type -> Text,
        reimbursement_amount -> Nullable<Text>,
        reimbursement_percentage -> Nullable<Text>,
        max_daily_count -> Nullable<Text>,
        inserted_at -> Text,
        inserted_by -> Text,
        updated_at -> Text,
        updated_by -> Text,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::joinable!(access_tokens -> users (user_id));
diesel::joinable!(access_tokens -> clients (client_id));
diesel::joinable!(api_keys -> clients (client_id));
diesel::joinable!(contract_divisions -> contracts (contract_id));
diesel::joinable!(party_users -> parties (party_id));
diesel::joinable!(program_devices -> device_definitions (device_definition_id));
diesel::allow_tables_to_appear_in_same_query!(access_tokens, api_keys, users, clients);
diesel::allow_tables_to_appear_in_same_query!(contract_divisions, contracts);
diesel::allow_tables_to_appear_in_same_query!(parties, party_users);
diesel::allow_tables_to_appear_in_same_query!(program_devices, device_definitions);

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
