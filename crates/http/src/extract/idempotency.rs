use esoz_kernel::IdempotencyKey;

use crate::context::{IDEMPOTENCY_KEY, IdempotencyHeader};
use crate::envelope::Invalid;
use crate::error::ApiError;

/// The idempotency key, if the request has one. A malformed one is refused: a client that sends it relies on it.
pub(crate) fn key(header: &IdempotencyHeader) -> Result<Option<IdempotencyKey>, ApiError> {
    match header {
        IdempotencyHeader::Absent => Ok(None),
        IdempotencyHeader::Key(key) => Ok(Some(key.clone())),
        IdempotencyHeader::Malformed => {
            let most = IdempotencyKey::MAX_CHARS;
            let description = format!("must be given once, as 1 to {most} visible ASCII characters");
            Err(ApiError::invalid(vec![Invalid::header(IDEMPOTENCY_KEY, "format", description)]))
        }
    }
}
