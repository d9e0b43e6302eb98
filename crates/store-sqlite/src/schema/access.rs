//! Who may ask: users, clients, access tokens and api keys.

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

diesel::joinable!(access_tokens -> users (user_id));
diesel::joinable!(access_tokens -> clients (client_id));
diesel::joinable!(api_keys -> clients (client_id));
diesel::allow_tables_to_appear_in_same_query!(access_tokens, api_keys, users, clients);
