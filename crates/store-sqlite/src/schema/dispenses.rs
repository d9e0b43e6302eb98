//! Device dispenses and the requests that they rest on.

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
