//! What a dispense rests on.

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

diesel::joinable!(party_users -> parties (party_id));
diesel::joinable!(program_devices -> device_definitions (device_definition_id));
diesel::allow_tables_to_appear_in_same_query!(parties, party_users);
diesel::allow_tables_to_appear_in_same_query!(program_devices, device_definitions);
