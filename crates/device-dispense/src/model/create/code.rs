use std::time::Duration;

use esoz_kernel::Timestamp;

use super::{CreatePolicy, CreateRefusal, NewDispense, RequestFacts};
use crate::model::request::DeviceRequest;

/// Rule 33: a request with a verification code is given it. After too many wrong ones no code is compared.
pub(super) fn check(
    body: &NewDispense,
    request: &DeviceRequest,
    found: &RequestFacts,
    policy: &CreatePolicy,
    at: Timestamp,
) -> Result<(), CreateRefusal> {
    let Some(code) = &request.verification_code else { return Ok(()) };
    if found.wrong_codes >= policy.max_wrong_codes {
        let free_at = found.oldest_wrong_code.unwrap_or(at).saturating_add(CreatePolicy::WRONG_CODES_WINDOW);
        let wait = Duration::try_from(free_at.duration_since(at)).unwrap_or_default();
        return Err(CreateRefusal::TooManyCodes(wait.as_secs() + 1));
    }
    if body.verification_code.as_ref() == Some(code) { Ok(()) } else { Err(CreateRefusal::WrongCode) }
}
