//! Revoked tokens.

use std::collections::BTreeMap;

use super::{Finding, Kind};
use crate::history::{Action, Operation, Outcome};
use crate::state::Loaded;

/// When a token was revoked, as far as the history tells.
#[derive(Clone, Copy)]
struct Revoked {
    /// Nobody had begun before.
    begun_us: u64,
    /// From then on it was known to be done.
    known_us: u64,
}

/// After a revocation that was answered nobody gets in; before one has begun nobody is kept out.
pub(super) fn check(loaded: &Loaded, history: &[Operation]) -> Vec<Finding> {
    let mut revoked: BTreeMap<u32, Revoked> = BTreeMap::new();
    for operation in history {
        if let Action::Revoke { token } = operation.action {
            let known = revoked.entry(token).or_insert(Revoked { begun_us: u64::MAX, known_us: u64::MAX });
            known.begun_us = known.begun_us.min(operation.started_us);
            if operation.is_done() {
                known.known_us = known.known_us.min(operation.ended_us);
            }
        }
    }
    let mut findings = Vec::new();
    for operation in history {
        let Some(token) = operation.token else { continue };
        let revocation = revoked.get(&token);
        let bound = revocation.map(|revoked| revoked.known_us.saturating_add(loaded.revocation_bound_us));
        if operation.is_done() && bound.is_some_and(|bound| operation.started_us > bound) {
            findings.push(Finding::new(Kind::AfterRevocation, format!("token {token}: {operation:?}")));
        }
        let kept_out = matches!(operation.outcome, Outcome::Refused { status: 401, .. })
            && !matches!(operation.action, Action::Refused { expected: 401 });
        if kept_out && revocation.is_none_or(|revoked| operation.ended_us < revoked.begun_us) {
            findings.push(Finding::new(Kind::TokenRefused, format!("token {token}: {operation:?}")));
        }
    }
    findings
}
