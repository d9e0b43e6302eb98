//! One function for each parser: it takes any bytes, and panics where something does not hold that must hold for any bytes.

mod api_keys;
mod bodies;
mod config;
mod import;
mod issuers;
mod jwt;
mod mongo;
mod new_dispenses;
mod queries;
mod requests;
mod signatures;
mod signed_contents;
mod sqlite;
mod texts;

/// Something to fuzz.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also that of its program and of its files.
    pub name: &'static str,
    /// What it looks at, in a few words.
    pub about: &'static str,
    /// Takes any bytes; panics where something does not hold.
    pub run: fn(&[u8]),
    /// Real examples of what it reads.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub fn all() -> Vec<Target> {
    vec![
        requests::REQUEST,
        api_keys::CREDENTIALS,
        bodies::STOP_BODY,
        bodies::UPDATE_BODY,
        new_dispenses::CREATE_BODY,
        bodies::SIGNED_BODY,
        signed_contents::COMPLETE,
        signed_contents::MARK_IN_ERROR,
        queries::LIST_QUERY,
        texts::TEXTS,
        texts::PATIENT_KEYS,
        jwt::JWT,
        jwt::JWKS,
        issuers::ANSWERS,
        signatures::CONTAINER,
        signatures::ANSWERS,
        import::IMPORT_LINE,
        import::IMPORT_FILE,
        mongo::MONGO_DOCUMENT,
        mongo::MONGO_OUTBOX,
        sqlite::SQLITE_DOCUMENT,
        sqlite::SQLITE_OUTBOX,
        config::CONFIG,
    ]
}

/// The target of that name.
pub fn named(name: &str) -> Option<Target> {
    all().into_iter().find(|target| target.name == name)
}

/// Texts as seeds.
fn seeds<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}
