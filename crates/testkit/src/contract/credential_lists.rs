//! Lists of tokens and api keys: [`Credentials::list_tokens`](esoz_auth::Credentials::list_tokens),
//! [`Credentials::list_api_keys`](esoz_auth::Credentials::list_api_keys); and how one is found by the beginning of its digest.

use esoz_auth::{
    ApiKeyFacts, BlockState, DigestPrefix, ListedApiKey, ListedToken, NewAccessToken, NewApiKey,
    SecretDigest, TokenFacts, TokenKind,
};
use esoz_kernel::{ClientId, Timestamp, UserId, time::to_micros};

use super::CredentialStore;
use crate::builders::{access_token, api_key, at_micros, client, secret, user};

/// More than any list here has.
const ALL: u32 = 100;

fn listed_token(token: &NewAccessToken) -> ListedToken {
    let NewAccessToken { digest, kind, user_id, client_id, scope, expires_at, issued_at } = token.clone();
    let facts = TokenFacts {
        digest,
        kind,
        user_id,
        client_id,
        scope,
        expires_at: to_micros(expires_at),
        is_revoked: false,
        is_user_blocked: false,
        is_client_blocked: false,
    };
    ListedToken { facts, issued_at: to_micros(issued_at) }
}

fn listed_key(key: &NewApiKey) -> ListedApiKey {
    let NewApiKey { digest, client_id, scope, issued_at } = key.clone();
    let facts = ApiKeyFacts { digest, client_id, scope, is_revoked: false, is_client_blocked: false };
    ListedApiKey { facts, issued_at: to_micros(issued_at) }
}

async fn tokens(
    store: &CredentialStore,
    user: Option<UserId>,
    client: Option<ClientId>,
    limit: u32,
) -> Vec<ListedToken> {
    let listed = store.credentials.list_tokens(user, client, limit).await.unwrap();
    listed.into_iter().map(Result::unwrap).collect()
}

async fn keys(store: &CredentialStore, client: Option<ClientId>, limit: u32) -> Vec<ListedApiKey> {
    let listed = store.credentials.list_api_keys(client, limit).await.unwrap();
    listed.into_iter().map(Result::unwrap).collect()
}

async fn added_token(store: &CredentialStore, issued_at: Timestamp) -> NewAccessToken {
    let token = NewAccessToken { issued_at, ..access_token(&secret()) };
    store.credentials.add_token(&token).await.unwrap();
    token
}

async fn added_key(store: &CredentialStore, issued_at: Timestamp) -> NewApiKey {
    let key = NewApiKey { issued_at, ..api_key(&secret()) };
    store.credentials.add_api_key(&key).await.unwrap();
    key
}

/// A list of nothing is empty; a list of tokens holds no key, and the other way round.
pub async fn tokens_and_keys_have_a_list_each(store: CredentialStore) {
    assert_eq!((tokens(&store, None, None, ALL).await, keys(&store, None, ALL).await), (vec![], vec![]));
    let token = added_token(&store, at_micros(0)).await;
    let key = added_key(&store, at_micros(0)).await;
    assert_eq!(tokens(&store, None, None, ALL).await, [listed_token(&token)]);
    assert_eq!(keys(&store, None, ALL).await, [listed_key(&key)]);
}

/// The newest come first, to the microsecond, and a limit keeps these; every field is as it was added.
pub async fn the_newest_come_first(store: CredentialStore) {
    let to_the_nanosecond: Timestamp = "2026-02-01T00:00:00.123456789Z".parse().unwrap();
    let times = [at_micros(1), to_the_nanosecond, at_micros(0), at_micros(-1_000_000)];
    let (mut added_tokens, mut added_keys) = (Vec::new(), Vec::new());
    for issued_at in times {
        added_tokens.push(listed_token(&added_token(&store, issued_at).await));
        added_keys.push(listed_key(&added_key(&store, issued_at).await));
    }
    added_tokens.swap(0, 1);
    added_keys.swap(0, 1);
    for (limit, count) in [(ALL, 4), (4, 4), (3, 3), (1, 1), (0, 0)] {
        assert_eq!(tokens(&store, None, None, limit).await, added_tokens[..count], "{limit}");
        assert_eq!(keys(&store, None, limit).await, added_keys[..count], "{limit}");
    }
}

/// Of credentials that were issued at the same time none is lost, and their order is always the same.
pub async fn those_of_one_time_keep_their_order(store: CredentialStore) {
    let (mut token_digests, mut key_digests) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        token_digests.push(*added_token(&store, at_micros(0)).await.digest.bytes());
        key_digests.push(*added_key(&store, at_micros(0)).await.digest.bytes());
    }
    token_digests.sort_unstable();
    key_digests.sort_unstable();
    let listed = tokens(&store, None, None, ALL).await;
    assert_eq!(listed.iter().map(|token| *token.facts.digest.bytes()).collect::<Vec<_>>(), token_digests);
    let listed = keys(&store, None, ALL).await;
    assert_eq!(listed.iter().map(|key| *key.facts.digest.bytes()).collect::<Vec<_>>(), key_digests);
}

/// A user and a client narrow a list, each alone and both together; the limit counts what is left.
pub async fn a_user_and_a_client_narrow_a_list(store: CredentialStore) {
    let [first_user, second_user] = [user(), user()];
    let [first_client, second_client] = [client(), client()];
    let mut added = Vec::new();
    for (user_id, client_id) in
        [(first_user, first_client), (first_user, second_client), (second_user, first_client)]
    {
        let token = NewAccessToken { user_id, client_id, ..access_token(&secret()) };
        store.credentials.add_token(&token).await.unwrap();
        added.push(token.digest);
    }
    added_token(&store, at_micros(1)).await;
    for (of_user, of_client, expected) in [
        (Some(first_user), None, vec![0, 1]),
        (None, Some(first_client), vec![0, 2]),
        (Some(first_user), Some(second_client), vec![1]),
        (Some(second_user), Some(second_client), vec![]),
        (Some(user()), None, vec![]),
    ] {
        let limit = u32::try_from(expected.len()).unwrap();
        let listed = tokens(&store, of_user, of_client, limit).await;
        let found: Vec<_> = listed.iter().map(|token| token.facts.digest).collect();
        assert_eq!(found.len(), expected.len(), "{of_user:?} {of_client:?}");
        assert!(expected.iter().all(|index| found.contains(&added[*index])), "{of_user:?} {of_client:?}");
    }

    let key = NewApiKey { client_id: first_client, ..api_key(&secret()) };
    store.credentials.add_api_key(&key).await.unwrap();
    added_key(&store, at_micros(1)).await;
    assert_eq!(keys(&store, Some(first_client), 1).await, [listed_key(&key)]);
    assert_eq!(keys(&store, Some(second_client), ALL).await, []);
}

/// What is expired, revoked, blocked or of another kind is listed, and says so.
pub async fn a_list_has_what_is_not_valid_as_well(store: CredentialStore) {
    let now = at_micros(5_000_000);
    let other = NewAccessToken { kind: TokenKind::Other, ..access_token(&secret()) };
    let expired = NewAccessToken { expires_at: at_micros(0), ..access_token(&secret()) };
    let (revoked, blocked) = (access_token(&secret()), access_token(&secret()));
    for token in [&other, &expired, &revoked, &blocked] {
        store.credentials.add_token(token).await.unwrap();
    }
    store.credentials.revoke_token(&revoked.digest, now).await.unwrap();
    store.credentials.set_user_blocked(blocked.user_id, true).await.unwrap();
    store.credentials.set_client_blocked(blocked.client_id, true).await.unwrap();
    let with = |token: &NewAccessToken, is_revoked, is_blocked| {
        let listed = listed_token(token);
        let (is_user_blocked, is_client_blocked) = (is_blocked, is_blocked);
        let facts = TokenFacts { is_revoked, is_user_blocked, is_client_blocked, ..listed.facts };
        ListedToken { facts, ..listed }
    };
    let expected = [
        with(&other, false, false),
        with(&expired, false, false),
        with(&revoked, true, false),
        with(&blocked, false, true),
    ];
    let listed = tokens(&store, None, None, ALL).await;
    assert_eq!(listed.len(), expected.len());
    assert!(expected.iter().all(|token| listed.contains(token)), "{listed:#?}");

    let revoked = added_key(&store, at_micros(0)).await;
    store.credentials.revoke_api_key(&revoked.digest, now).await.unwrap();
    let of_blocked = NewApiKey { client_id: blocked.client_id, ..api_key(&secret()) };
    store.credentials.add_api_key(&of_blocked).await.unwrap();
    let listed = keys(&store, None, ALL).await;
    let state = |key: &NewApiKey| {
        let facts = listed.iter().map(|key| &key.facts).find(|facts| facts.digest == key.digest).unwrap();
        (facts.is_revoked, facts.is_client_blocked)
    };
    assert_eq!((state(&revoked), state(&of_blocked)), ((true, false), (false, true)));
}

/// A credential is found by the beginning of its digest, among those of its own kind; so are all that begin alike, at most as many as asked for.
pub async fn a_digest_is_found_by_its_beginning(store: CredentialStore) {
    let digest = |fifth: u8, last: u8| {
        let mut bytes = [0xab; 32];
        (bytes[4], bytes[31]) = (fifth, last);
        SecretDigest::new(bytes)
    };
    let prefix = |text: &str| text.parse::<DigestPrefix>().unwrap();
    let added = [digest(0x10, 0), digest(0x1f, 0xff), digest(0x20, 0)];
    for digest in added {
        store.credentials.add_token(&NewAccessToken { digest, ..access_token(&secret()) }).await.unwrap();
    }
    let key = digest(0x30, 0);
    store.credentials.add_api_key(&NewApiKey { digest: key, ..api_key(&secret()) }).await.unwrap();
    store.credentials.revoke_token(&added[2], at_micros(0)).await.unwrap();
    for (text, limit, expected) in [
        ("abababab", 9, &added[..]),
        ("abababab", 2, &added[..2]),
        ("abababab1", 9, &added[..2]),
        ("ABABABAB1f", 9, &added[1..2]),
        ("abababab20", 9, &added[2..]),
        ("abababab3", 9, &[]),
        ("abababac", 9, &[]),
    ] {
        let found = store.credentials.find_token_digests(&prefix(text), limit).await.unwrap();
        assert!(found == expected, "{text}: {} digests", found.len());
    }
    for (text, expected) in [("abababab", &[key][..]), ("abababab3", &[key]), ("abababab1", &[])] {
        let found = store.credentials.find_api_key_digests(&prefix(text), 9).await.unwrap();
        assert!(found == expected, "{text}: {} digests", found.len());
    }
}

/// Whoever a credential was issued to, or was blocked, is listed by its id with its state; the blocked alone if asked so; no more than asked for.
pub async fn users_and_clients_are_listed_with_their_state(store: CredentialStore) {
    let credentials = &store.credentials;
    let token = added_token(&store, at_micros(0)).await;
    let key = added_key(&store, at_micros(0)).await;
    let [blocked, unblocked] = [user(), user()];
    let blocked_client = client();
    credentials.set_user_blocked(blocked, true).await.unwrap();
    credentials.set_user_blocked(unblocked, true).await.unwrap();
    credentials.set_user_blocked(unblocked, false).await.unwrap();
    credentials.set_client_blocked(blocked_client, true).await.unwrap();

    let mut users = [(token.user_id, false), (blocked, true), (unblocked, false)];
    users.sort_by_key(|(id, _)| id.uuid());
    let users = users.map(|(id, is_blocked)| BlockState { id, is_blocked });
    let mut clients = [(token.client_id, false), (key.client_id, false), (blocked_client, true)];
    clients.sort_by_key(|(id, _)| id.uuid());
    let clients = clients.map(|(id, is_blocked)| BlockState { id, is_blocked });
    for (limit, count) in [(ALL, 3), (3, 3), (2, 2), (0, 0)] {
        let listed = credentials.list_users(false, limit).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
        assert_eq!(listed, users[..count], "{limit}");
        let listed = credentials.list_clients(false, limit).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
        assert_eq!(listed, clients[..count], "{limit}");
    }
    let listed = credentials.list_users(true, ALL).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
    assert_eq!(listed, [BlockState { id: blocked, is_blocked: true }]);
    let listed = credentials.list_clients(true, ALL).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
    assert_eq!(listed, [BlockState { id: blocked_client, is_blocked: true }]);
}
