//! Further tokens of a user and client, and the client of a legal entity.

use esoz_auth::{NewAccessToken, Secret};
use esoz_kernel::{ClientId, LegalEntityId};
use esoz_testkit::builders::secret;

use crate::TestApp;

/// Stores a token like another one, changed, for the same user and client.
///
/// # Panics
/// When it cannot be stored.
pub async fn issue(app: &TestApp, like: &NewAccessToken, change: impl FnOnce(&mut NewAccessToken)) -> Secret {
    let token = secret();
    let mut stored = NewAccessToken { digest: token.digest(), ..like.clone() };
    change(&mut stored);
    app.stores.credentials.add_token(&stored).await.unwrap();
    token
}

/// A client id is the id of its legal entity.
pub fn client_of(legal_entity: LegalEntityId) -> ClientId {
    ClientId::new(legal_entity.uuid())
}
