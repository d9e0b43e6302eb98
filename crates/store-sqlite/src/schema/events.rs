//! Events, idempotency keys and what the store remembers of its settings.

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
    settings (name) {
        name -> Text,
        value -> Binary,
    }
}
