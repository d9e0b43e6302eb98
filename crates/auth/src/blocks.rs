use std::sync::Arc;

use async_trait::async_trait;
use esoz_kernel::{ClientId, StoreError, UserId};

use crate::{AccessTokens, Secret, TokenFacts};

/// Whether the user and the client of a token are blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocked {
    /// Whether the user is blocked.
    pub user: bool,
    /// Whether the client is blocked.
    pub client: bool,
}

/// Looks up the users and clients that [`crate::Credentials`] has blocked.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Blocks: Send + Sync {
    /// Looks up whether a user and a client are blocked. An unknown one is not.
    ///
    /// # Errors
    /// [`StoreError`] when the lookup failed. The caller is then refused.
    async fn find(&self, user: UserId, client: ClientId) -> Result<Blocked, StoreError>;
}

/// Access tokens of an external issuer, joined with the blocks of this store: a block applies to the tokens of every issuer.
pub struct ExternalAccessTokens {
    issuer: Arc<dyn AccessTokens>,
    blocks: Arc<dyn Blocks>,
}

impl ExternalAccessTokens {
    /// Creates it on the issuer's tokens and the blocks of this store.
    pub fn new(issuer: Arc<dyn AccessTokens>, blocks: Arc<dyn Blocks>) -> Self {
        Self { issuer, blocks }
    }
}

#[async_trait]
impl AccessTokens for ExternalAccessTokens {
    async fn find(&self, presented: &Secret) -> Result<Option<TokenFacts>, StoreError> {
        let Some(facts) = self.issuer.find(presented).await? else { return Ok(None) };
        let blocked = self.blocks.find(facts.user_id, facts.client_id).await?;
        Ok(Some(TokenFacts {
            is_user_blocked: facts.is_user_blocked || blocked.user,
            is_client_blocked: facts.is_client_blocked || blocked.client,
            ..facts
        }))
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{StoreErrorKind, Timestamp, Uuid};
    use pollster::block_on;

    use super::*;
    use crate::{MockAccessTokens, Scope, TokenKind};

    const USER: UserId = UserId::new(Uuid::from_u128(1));
    const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));

    fn facts(is_user_blocked: bool, is_client_blocked: bool) -> TokenFacts {
        TokenFacts {
            digest: Secret::new("a token").digest(),
            kind: TokenKind::Access,
            user_id: USER,
            client_id: CLIENT,
            scope: Scope::parse("a:read"),
            expires_at: Timestamp::UNIX_EPOCH,
            is_revoked: false,
            is_user_blocked,
            is_client_blocked,
        }
    }

    fn find(
        issued: Result<Option<TokenFacts>, StoreError>,
        blocked: Option<Result<Blocked, StoreError>>,
    ) -> Result<Option<TokenFacts>, StoreError> {
        let mut tokens = MockAccessTokens::new();
        tokens.expect_find().return_once(|_| issued);
        let mut blocks = MockBlocks::new();
        let times = usize::from(blocked.is_some());
        blocks
            .expect_find()
            .withf(|user, client| (*user, *client) == (USER, CLIENT))
            .times(times)
            .return_once(|_, _| blocked.unwrap_or_else(|| Ok(Blocked::default())));
        let tokens = ExternalAccessTokens::new(Arc::new(tokens), Arc::new(blocks));
        block_on(tokens.find(&Secret::new("a token")))
    }

    fn unavailable() -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, "testing")
    }

    #[test]
    fn a_block_applies_whether_it_is_the_issuers_or_ours() {
        for [issuers, ours, expected] in
            [[false, false, false], [true, false, true], [false, true, true], [true, true, true]]
        {
            let blocked = Blocked { user: ours, client: false };
            let found = find(Ok(Some(facts(issuers, false))), Some(Ok(blocked)));
            assert_eq!(found.unwrap(), Some(facts(expected, false)));
            let blocked = Blocked { user: false, client: ours };
            let found = find(Ok(Some(facts(false, issuers))), Some(Ok(blocked)));
            assert_eq!(found.unwrap(), Some(facts(false, expected)));
        }
    }

    #[test]
    fn a_token_that_the_issuer_does_not_know_needs_no_look_at_the_blocks() {
        assert_eq!(find(Ok(None), None).unwrap(), None);
        assert!(find(Err(unavailable()), None).is_err());
    }

    #[test]
    fn without_the_blocks_there_are_no_facts() {
        let error = find(Ok(Some(facts(false, false))), Some(Err(unavailable()))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}
