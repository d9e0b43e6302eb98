//! The caller in the description's examples.

use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope};
use esoz_kernel::{ClientId, UserId, Uuid};

/// The user.
pub(crate) const USER: Uuid = Uuid::from_u128(0x5a3a_9d04_c5c0_4a5d_8b1f_2a3f_6f5f_1c77);

/// A caller without any scope.
pub(crate) fn caller_without_scopes() -> Caller {
    let client_id = ClientId::new(Uuid::from_u128(0x4cbf_3a4b_4a5e_4a0b_9d35_0b1c_2f0a_6d11));
    Caller {
        principal: Principal { user_id: UserId::new(USER), client_id, scope: Scope::default() },
        api_key: Some(ApiKeyHolder { client_id, scope: Scope::default() }),
    }
}

/// Fills in the parameters of a route's pattern.
pub(crate) fn path(pattern: &str) -> String {
    let id = USER.to_string();
    let segment = |segment| if str::starts_with(segment, '{') { id.as_str() } else { segment };
    pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}
