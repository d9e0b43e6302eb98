use std::str::FromStr;

/// The status of a dispense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DispenseStatus {
    /// Being prepared, not yet begun.
    Preparation,
    /// Begun.
    InProgress,
    /// Called off before it began.
    Cancelled,
    /// Done.
    Completed,
    /// Halted for good.
    Stopped,
    /// Not carried out.
    Declined,
    /// Expired without an end; the outcome is unknown.
    Unknown,
    /// Recorded by mistake.
    EnteredInError,
}

impl DispenseStatus {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::Preparation,
        Self::InProgress,
        Self::Cancelled,
        Self::Completed,
        Self::Stopped,
        Self::Declined,
        Self::Unknown,
        Self::EnteredInError,
    ];

    /// Its name in stores, events and the API.
    pub const fn as_str(self) -> &'static str {
        match self.spellings() {
            [word, ..] => word,
            [] => "",
        }
    }

    /// Its spellings in stores; the first is the one that is written and shown.
    pub const fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Preparation => &["preparation"],
            Self::InProgress => &["in_progress"],
            Self::Cancelled => &["cancelled", "canceled"],
            Self::Completed => &["completed"],
            Self::Stopped => &["stopped"],
            Self::Declined => &["declined"],
            Self::Unknown => &["unknown"],
            Self::EnteredInError => &["entered_in_error"],
        }
    }

    /// The statuses from which the status model allows the trigger to lead to this one.
    pub fn sources(self, by: Trigger) -> Vec<Self> {
        TRANSITIONS
            .iter()
            .filter(|rule| (rule.to, rule.by) == (self, by))
            .filter_map(|rule| rule.from)
            .collect()
    }
}

impl std::fmt::Display for DispenseStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is no status of the model. In a store it is corrupt data (status model, last paragraph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a status of a device dispense")]
pub struct UnknownStatus;

impl FromStr for DispenseStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.spellings().contains(&text)).ok_or(UnknownStatus)
    }
}

/// The cause of a change of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A legal entity records a new one.
    Create,
    /// A new one arrives in an encounter package.
    EncounterPackage,
    /// The social-policy channel records or ends one.
    SocialPolicyChannel,
    /// Its owner completes it.
    Complete,
    /// Its owner stops it.
    Stop,
    /// It has been in progress for longer than is allowed.
    AutoExpire,
    /// Its owner withdraws it as a mistake.
    MarkInError,
}

/// One row of the status model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransitionRule {
    /// The status before; `None` for a new dispense.
    pub from: Option<DispenseStatus>,
    /// The status after.
    pub to: DispenseStatus,
    /// Its cause.
    pub by: Trigger,
}

const fn row(from: Option<DispenseStatus>, to: DispenseStatus, by: Trigger) -> TransitionRule {
    TransitionRule { from, to, by }
}

/// The status model: every allowed transition.
pub const TRANSITIONS: [TransitionRule; 17] = {
    use DispenseStatus::{
        Cancelled, Completed, Declined, EnteredInError, InProgress, Preparation, Stopped, Unknown,
    };
    use Trigger::{AutoExpire, Complete, Create, EncounterPackage, MarkInError, SocialPolicyChannel, Stop};
    [
        row(None, InProgress, Create),
        row(None, Completed, Create),
        row(None, Completed, EncounterPackage),
        row(None, Completed, SocialPolicyChannel),
        row(None, Declined, EncounterPackage),
        row(None, Preparation, SocialPolicyChannel),
        row(Some(InProgress), Completed, Complete),
        row(Some(InProgress), Stopped, Stop),
        row(Some(InProgress), Unknown, AutoExpire),
        row(Some(Preparation), Completed, SocialPolicyChannel),
        row(Some(Preparation), Cancelled, SocialPolicyChannel),
        row(Some(Preparation), EnteredInError, MarkInError),
        row(Some(InProgress), EnteredInError, MarkInError),
        row(Some(Cancelled), EnteredInError, MarkInError),
        row(Some(Stopped), EnteredInError, MarkInError),
        row(Some(Declined), EnteredInError, MarkInError),
        row(Some(Unknown), EnteredInError, MarkInError),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_from_its_word_and_no_other_word_is() {
        for status in DispenseStatus::ALL {
            assert!(!status.as_str().is_empty());
            for word in status.spellings() {
                assert_eq!(word.parse(), Ok(status));
            }
        }
        assert_eq!("canceled".parse(), Ok(DispenseStatus::Cancelled));
        assert_eq!(DispenseStatus::Cancelled.as_str(), "cancelled");
        assert_eq!(DispenseStatus::Cancelled.spellings(), ["cancelled", "canceled"]);
        for word in ["", "Stopped", "in progress", "suspended"] {
            assert_eq!(word.parse::<DispenseStatus>(), Err(UnknownStatus), "{word}");
        }
    }

    #[test]
    fn only_a_dispense_in_progress_can_be_stopped() {
        assert_eq!(DispenseStatus::Stopped.sources(Trigger::Stop), [DispenseStatus::InProgress]);
        assert_eq!(DispenseStatus::InProgress.sources(Trigger::Stop), []);
    }

    #[test]
    fn all_but_two_statuses_can_be_marked_in_error() {
        let sources = DispenseStatus::EnteredInError.sources(Trigger::MarkInError);
        for status in DispenseStatus::ALL {
            let never = [DispenseStatus::EnteredInError, DispenseStatus::Completed];
            assert_eq!(sources.contains(&status), !never.contains(&status), "{status:?}");
        }
    }

    #[test]
    fn nothing_leads_out_of_entered_in_error_or_completed() {
        for last in [DispenseStatus::EnteredInError, DispenseStatus::Completed] {
            assert!(TRANSITIONS.iter().all(|rule| rule.from != Some(last)), "{last:?}");
        }
    }

    #[test]
    fn no_transition_stands_twice() {
        let distinct: std::collections::HashSet<_> = TRANSITIONS.iter().collect();
        assert_eq!(distinct.len(), TRANSITIONS.len());
    }
}
