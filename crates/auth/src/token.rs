//! The access token: the facts about it and the rule that decides whether it is valid.

use esoz_kernel::{ClientId, Timestamp, UserId};

use crate::{Scope, Secret, SecretDigest};

/// The kind of a token. Only an access token is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token, presented with requests.
    Access,
    /// Any other kind, e.g. a refresh token.
    Other,
}

/// The facts about a token, stored or stated by its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// The digest under which it is stored; of a token that is not stored, the digest of the presented one.
    pub digest: SecretDigest,
    /// Its kind.
    pub kind: TokenKind,
    /// The user that it was issued to.
    pub user_id: UserId,
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// Its scope.
    pub scope: Scope,
    /// The instant from which it is expired.
    pub expires_at: Timestamp,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// Whether its user is blocked.
    pub is_user_blocked: bool,
    /// Whether its client is blocked.
    pub is_client_blocked: bool,
}

/// The calling user and client, authenticated by an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// The client: the legal entity that the user acts for.
    pub client_id: ClientId,
    /// The scope of the token.
    pub scope: Scope,
}

/// Why an access token or api key is not valid. For the operator's log alone: the caller must not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// There is none like it.
    Unknown,
    /// It is no access token.
    OtherKind,
    /// It is expired.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its user is blocked.
    UserBlocked,
    /// Its client is blocked.
    ClientBlocked,
}

impl Rejection {
    /// Returns its name in snake_case, for the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherKind => "other_kind",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UserBlocked => "user_blocked",
            Self::ClientBlocked => "client_blocked",
        }
    }
}

impl TokenFacts {
    /// Returns why the token is not valid now; `None` if it is: of kind access token, neither expired nor revoked, neither user nor
    /// client blocked. A token is expired from the second of its expiry.
    pub fn rejection(&self, now: Timestamp) -> Option<Rejection> {
        let checked = [
            (self.kind != TokenKind::Access, Rejection::OtherKind),
            (now.as_second() >= self.expires_at.as_second(), Rejection::Expired),
            (self.is_revoked, Rejection::Revoked),
            (self.is_user_blocked, Rejection::UserBlocked),
            (self.is_client_blocked, Rejection::ClientBlocked),
        ];
        checked.into_iter().find_map(|(is_rejected, rejection)| is_rejected.then_some(rejection))
    }
}

/// Decides whether a token is valid now (stop rules 1 and 2, update rule 2): known, and not [rejected](TokenFacts::rejection).
///
/// # Errors
/// [`Rejection`], which the caller must not learn.
pub fn verify(presented: &Secret, facts: Option<TokenFacts>, now: Timestamp) -> Result<Principal, Rejection> {
    let facts = facts.filter(|facts| presented.digest() == facts.digest).ok_or(Rejection::Unknown)?;
    match facts.rejection(now) {
        Some(rejection) => Err(rejection),
        None => Ok(Principal { user_id: facts.user_id, client_id: facts.client_id, scope: facts.scope }),
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::Uuid;

    use super::*;

    /// The instant that many seconds and nanoseconds from the expiry.
    fn expiry_plus(seconds: i64, nanos: i32) -> Timestamp {
        Timestamp::new(1_700_000_000 + seconds, nanos).unwrap()
    }

    fn facts() -> TokenFacts {
        TokenFacts {
            digest: Secret::new("a token").digest(),
            kind: TokenKind::Access,
            user_id: UserId::new(Uuid::from_u128(1)),
            client_id: ClientId::new(Uuid::from_u128(2)),
            scope: Scope::parse("a:read"),
            expires_at: expiry_plus(0, 0),
            is_revoked: false,
            is_user_blocked: false,
            is_client_blocked: false,
        }
    }

    fn verified(facts: TokenFacts, now: Timestamp) -> bool {
        verify(&Secret::new("a token"), Some(facts), now).is_ok()
    }

    #[test]
    fn a_token_lives_until_the_second_of_its_expiry() {
        assert!(verified(facts(), expiry_plus(-1, 999_999_999)));
        assert!(!verified(facts(), expiry_plus(0, 0)));
        assert!(!verified(facts(), expiry_plus(1, 0)));
    }

    #[test]
    fn the_second_counts_also_when_the_expiry_has_a_fraction() {
        let facts = TokenFacts { expires_at: expiry_plus(0, 900_000_000), ..facts() };
        assert!(verified(facts.clone(), expiry_plus(-1, 999_999_999)));
        assert!(!verified(facts, expiry_plus(0, 100_000_000)));
    }

    #[test]
    fn each_fact_alone_makes_a_token_invalid() {
        let now = expiry_plus(-10, 0);
        assert!(verified(facts(), now));
        for (rejection, facts) in [
            (Rejection::Unknown, TokenFacts { digest: Secret::new("another").digest(), ..facts() }),
            (Rejection::OtherKind, TokenFacts { kind: TokenKind::Other, ..facts() }),
            (Rejection::Expired, TokenFacts { expires_at: now, ..facts() }),
            (Rejection::Revoked, TokenFacts { is_revoked: true, ..facts() }),
            (Rejection::UserBlocked, TokenFacts { is_user_blocked: true, ..facts() }),
            (Rejection::ClientBlocked, TokenFacts { is_client_blocked: true, ..facts() }),
        ] {
            assert_eq!(verify(&Secret::new("a token"), Some(facts), now), Err(rejection));
        }
        assert_eq!(verify(&Secret::new("a token"), None, now), Err(Rejection::Unknown));
    }
}
