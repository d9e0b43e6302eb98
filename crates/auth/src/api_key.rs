//! The api key: it identifies the calling software and has a scope of its own.

use esoz_kernel::ClientId;

use crate::{Rejection, Scope, Secret, SecretDigest};

/// The stored facts about an api key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyFacts {
    /// The digest under which it is stored.
    pub digest: SecretDigest,
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// Its scope.
    pub scope: Scope,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether its client is blocked.
    pub is_client_blocked: bool,
}

/// The calling software, authenticated by its api key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyHolder {
    /// The client that the key was issued to.
    pub client_id: ClientId,
    /// The scope of the key.
    pub scope: Scope,
}

impl ApiKeyFacts {
    /// Returns why the key is not valid; `None` if it is: not revoked, its client not blocked.
    pub const fn rejection(&self) -> Option<Rejection> {
        if self.is_revoked {
            Some(Rejection::Revoked)
        } else if self.is_client_blocked {
            Some(Rejection::ClientBlocked)
        } else {
            None
        }
    }
}

/// Decides whether an api key is valid (update rule 1): known, and not [rejected](ApiKeyFacts::rejection).
///
/// # Errors
/// [`Rejection`], which the caller must not learn.
pub fn verify(presented: &Secret, facts: Option<ApiKeyFacts>) -> Result<ApiKeyHolder, Rejection> {
    let facts = facts.filter(|facts| presented.digest() == facts.digest).ok_or(Rejection::Unknown)?;
    match facts.rejection() {
        Some(rejection) => Err(rejection),
        None => Ok(ApiKeyHolder { client_id: facts.client_id, scope: facts.scope }),
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::Uuid;

    use super::*;

    #[test]
    fn each_fact_alone_makes_a_key_invalid() {
        let key = Secret::new("a key");
        let facts = || ApiKeyFacts {
            digest: key.digest(),
            client_id: ClientId::new(Uuid::from_u128(2)),
            scope: Scope::parse("a:read"),
            is_revoked: false,
            is_client_blocked: false,
        };
        assert!(verify(&key, Some(facts())).is_ok());
        assert_eq!(verify(&key, None), Err(Rejection::Unknown));
        assert_eq!(verify(&Secret::new("another"), Some(facts())), Err(Rejection::Unknown));
        assert_eq!(verify(&key, Some(ApiKeyFacts { is_revoked: true, ..facts() })), Err(Rejection::Revoked));
        assert_eq!(
            verify(&key, Some(ApiKeyFacts { is_client_blocked: true, ..facts() })),
            Err(Rejection::ClientBlocked)
        );
    }
}
