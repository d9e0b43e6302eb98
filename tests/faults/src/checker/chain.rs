//! The effects on one entity in their order, against the times of the operations that caused them.

use super::{Finding, Kind};

/// An operation that took effect, at an instant somewhere from `from_us` to `by_us`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) number: u64,
    pub(super) from_us: u64,
    pub(super) by_us: u64,
}

/// While something may have been so: from the first instant to the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from_us: u64,
    pub(super) by_us: u64,
}

impl Window {
    /// Opened by that effect, or there from the beginning; closed by that one, or never.
    pub(super) fn between(opened: Option<Effect>, closed: Option<Effect>) -> Self {
        Self {
            from_us: opened.map_or(0, |effect| effect.from_us),
            by_us: closed.map_or(u64::MAX, |effect| effect.by_us),
        }
    }

    pub(super) fn overlaps(self, from_us: u64, by_us: u64) -> bool {
        self.from_us <= by_us && from_us <= self.by_us
    }
}

/// No effect may come after that of an operation which began when it had ended.
pub(super) fn check(entity: &str, effects: &[Effect]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut latest: Option<Effect> = None;
    for effect in effects {
        if let Some(before) = latest.filter(|before| effect.by_us < before.from_us) {
            let (late, early) = (effect.number, before.number);
            let text = format!("{entity}: operation {late} had ended when {early} began, and comes after it");
            findings.push(Finding::new(Kind::OutOfOrder, text));
        }
        if latest.is_none_or(|before| before.from_us < effect.from_us) {
            latest = Some(*effect);
        }
    }
    findings
}
