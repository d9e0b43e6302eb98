use std::fmt;
use std::marker::PhantomData;

use esoz_kernel::{ClientId, ErrorKind, Failure, UserId};

use crate::{Allowance, ApiKeyHolder, Principal};

/// An operation of the API, implemented by its use case.
pub trait Operation: 'static {
    /// Its name in snake_case: the operation id of the description, the label of metrics, the span, and the namespace of idempotency
    /// keys. Stored with those keys, so it never changes.
    const NAME: &'static str;
    /// The scope that the caller must hold, e.g. `device_dispense:stop`.
    const SCOPE: Allowance;
    /// The credentials that its caller must present.
    const CALLER: CallerKind;
    /// Its failures.
    type Error: Failure;
}

/// The credentials that the caller of an operation must present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// An access token.
    User,
    /// An access token, and the api key of the calling software, whose scope counts as well.
    UserWithApiKey,
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user and client, authenticated by access token.
    pub principal: Principal,
    /// The calling software, authenticated by api key; `None` where none is required.
    pub api_key: Option<ApiKeyHolder>,
}

/// Proof that a caller is authorized for the operation `O`. Only [`authorize`] creates one.
pub struct Permit<O> {
    user: UserId,
    client: ClientId,
    operation: PhantomData<fn() -> O>,
}

impl<O> Permit<O> {
    /// Returns the calling user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Returns the client that the user acts for.
    pub const fn client(&self) -> ClientId {
        self.client
    }
}

impl<O: Operation> fmt::Debug for Permit<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Permit({}, {:?}, {:?})", O::NAME, self.user, self.client)
    }
}

/// Authorizes a caller by scope (stop rule 3, update rule 3). A transport calls this before it reads anything else of the request.
///
/// # Errors
/// [`MissingAllowances`] when the scope of the token, or of the api key where one is required, lacks [`Operation::SCOPE`].
pub fn authorize<O: Operation>(caller: &Caller) -> Result<Permit<O>, MissingAllowances> {
    let Caller { principal, api_key } = caller;
    let software_allows = match O::CALLER {
        CallerKind::User => true,
        CallerKind::UserWithApiKey => api_key.as_ref().is_some_and(|key| key.scope.allows(O::SCOPE)),
    };
    let lacking = |credential| MissingAllowances { allowance: O::SCOPE, credential };
    if !principal.scope.allows(O::SCOPE) {
        Err(lacking("token"))
    } else if !software_allows {
        Err(lacking("api_key"))
    } else {
        Ok(Permit { user: principal.user_id, client: principal.client_id, operation: PhantomData })
    }
}

/// The scope lacks the allowance of the operation: 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Your scope does not allow to access this resource. Missing allowances: {allowance}")]
pub struct MissingAllowances {
    allowance: Allowance,
    /// The credential whose scope lacks it, for the log: `token` or `api_key`.
    credential: &'static str,
}

impl Failure for MissingAllowances {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Forbidden
    }

    fn code(&self) -> &'static str {
        "missing_allowances"
    }

    fn reason(&self) -> Option<&'static str> {
        Some(self.credential)
    }

    fn missing_allowances(&self) -> &[Allowance] {
        std::slice::from_ref(&self.allowance)
    }

    fn examples() -> Vec<Self> {
        vec![Self { allowance: "resource:action", credential: "token" }]
    }
}

/// An [`Operation`] as data, for registries of operations.
#[derive(Debug, Clone, Copy)]
pub struct OperationInfo {
    /// [`Operation::NAME`].
    pub name: &'static str,
    /// [`Operation::SCOPE`].
    pub scope: Allowance,
    /// [`Operation::CALLER`].
    pub caller: CallerKind,
    error_codes: fn() -> Vec<&'static str>,
}

impl OperationInfo {
    /// Lists the code of every failure of the operation, [`MissingAllowances`] first.
    pub fn outcomes(&self) -> Vec<&'static str> {
        [MissingAllowances::codes(), (self.error_codes)()].concat()
    }

    /// Creates the description of an operation.
    pub const fn of<O: Operation>() -> Self {
        Self { name: O::NAME, scope: O::SCOPE, caller: O::CALLER, error_codes: O::Error::codes }
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{StoreError, Uuid};

    use super::*;
    use crate::Scope;

    struct Read;

    impl Operation for Read {
        const NAME: &'static str = "read_thing";
        const SCOPE: Allowance = "thing:read";
        const CALLER: CallerKind = CallerKind::User;
        type Error = StoreError;
    }

    struct Write;

    impl Operation for Write {
        const NAME: &'static str = "write_thing";
        const SCOPE: Allowance = "thing:write";
        const CALLER: CallerKind = CallerKind::UserWithApiKey;
        type Error = StoreError;
    }

    fn caller(token: &str, api_key: Option<&str>) -> Caller {
        let client_id = ClientId::new(Uuid::from_u128(2));
        let principal =
            Principal { user_id: UserId::new(Uuid::from_u128(1)), client_id, scope: Scope::parse(token) };
        let api_key = api_key.map(|scope| ApiKeyHolder { client_id, scope: Scope::parse(scope) });
        Caller { principal, api_key }
    }

    #[test]
    fn given_a_token_with_the_scope_then_its_user_and_client_are_permitted() {
        let permit = authorize::<Read>(&caller("thing:write thing:read", None)).unwrap();
        assert_eq!((permit.user().uuid(), permit.client().uuid()), (Uuid::from_u128(1), Uuid::from_u128(2)));
    }

    #[test]
    fn given_another_scope_then_the_missing_one_is_named() {
        let refusal = authorize::<Read>(&caller("thing:reader thing", None)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: thing:read"
        );
        assert_eq!(refusal.missing_allowances(), ["thing:read"]);
    }

    #[test]
    fn given_an_operation_for_software_then_the_api_key_must_allow_it_too() {
        for (token, api_key, lacking) in [
            ("thing:write", Some("thing:write"), None),
            ("thing:write", Some("thing:read"), Some("api_key")),
            ("thing:write", None, Some("api_key")),
            ("", Some("thing:write"), Some("token")),
        ] {
            let refusal = authorize::<Write>(&caller(token, api_key)).err();
            let reason = refusal.as_ref().and_then(Failure::reason);
            assert_eq!((refusal.is_some(), reason), (lacking.is_some(), lacking), "{token} {api_key:?}");
        }
    }
}
