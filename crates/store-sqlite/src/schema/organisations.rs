//! Legal entities, their divisions and their contracts.

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

diesel::joinable!(contract_divisions -> contracts (contract_id));
diesel::allow_tables_to_appear_in_same_query!(contract_divisions, contracts);
