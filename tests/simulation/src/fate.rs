//! What becomes of a call, and how often what goes wrong.

use esoz_kernel::StoreErrorKind;

use crate::rng::Rng;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Good,
    /// It is refused; nothing happened.
    Refused(StoreErrorKind),
    /// It is carried out, but the answer is lost.
    Lost,
    /// It arrives when nobody waits for it any more.
    Late,
    /// It arrives twice. For calls that may.
    Twice,
}

/// How often what goes wrong, in thousandths. Drawn anew for each seed, some of them zero: what never happens beside something else
/// may be what shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    refused: u64,
    conflict: u64,
    lost: u64,
    late: u64,
    twice: u64,
}

impl Odds {
    /// Those of a seed.
    pub(crate) fn drawn(rng: &mut Rng) -> Self {
        let mut often = |most| if rng.one_in(3) { 0 } else { rng.below(most) };
        Self {
            refused: often(150),
            conflict: often(100),
            lost: often(150),
            late: often(150),
            twice: often(150),
        }
    }

    /// What becomes of a call; `may_conflict` if it may lose against others, `may_repeat` if arriving twice is the same as once.
    pub(crate) fn fate(self, rng: &mut Rng, may_conflict: bool, may_repeat: bool) -> Fate {
        let mut left = rng.below(1_000);
        let mut hit = |odds: u64| {
            let hit = left < odds;
            left = left.saturating_sub(odds);
            hit
        };
        if hit(self.refused) {
            Fate::Refused(StoreErrorKind::Unavailable)
        } else if may_conflict && hit(self.conflict) {
            Fate::Refused(StoreErrorKind::Conflict)
        } else if hit(self.lost) {
            Fate::Lost
        } else if hit(self.late) {
            Fate::Late
        } else if may_repeat && hit(self.twice) {
            Fate::Twice
        } else {
            Fate::Good
        }
    }
}
