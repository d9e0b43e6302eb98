//! What a trial showed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::checker::{Finding, Kind};
use crate::history::{Action, Operation, Outcome};
use crate::trial::is_acknowledged;

/// How many findings are told; the others are counted.
const TOLD_MAX: usize = 10;

/// The counts of a trial, and the checker's verdict.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was tried.
    pub name: String,
    /// From which every choice followed.
    pub seed: u64,
    /// For how long.
    pub took: Duration,
    /// Operations of clients.
    pub operations: usize,
    /// Changes that were answered with 200.
    pub acknowledged: usize,
    /// Requests without a clear answer.
    pub unanswered: usize,
    /// How often there was what instead of an answer.
    pub why: BTreeMap<String, usize>,
    /// Those of them that got one when they were sent again.
    pub resolved: usize,
    /// Servers that were killed.
    pub kills: usize,
    /// Events in the topic.
    pub events: usize,
    /// How many more deliveries of them there are.
    pub repeated: usize,
    /// Audit rows of updates.
    pub audited: usize,
    /// The longest time between two clear answers of the servers; none where answers are counted and their times not kept.
    pub longest_silence: Option<Duration>,
    /// What else is worth telling.
    pub notes: Vec<String>,
    /// What must not be.
    pub findings: Vec<Finding>,
    /// Where the history is, if it was kept.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// The counts of a history.
    pub fn of(name: &str, seed: u64, history: &[Operation], findings: Vec<Finding>) -> Self {
        let is_first = |operation: &&Operation| operation.again.is_none() && operation.is_unclear();
        let resolved = history.iter().filter(|operation| !operation.is_unclear());
        let resolved: BTreeSet<u64> = resolved.filter_map(|operation| operation.again).collect();
        let unclear: Vec<_> = history.iter().filter(is_first).collect();
        let mut why = BTreeMap::new();
        for operation in &unclear {
            let what = match &operation.outcome {
                Outcome::Unanswered { why } => why.clone(),
                Outcome::Refused { status, .. } => status.to_string(),
                Outcome::Done { .. } => continue,
            };
            *why.entry(what).or_insert(0) += 1;
        }
        Self {
            name: name.to_owned(),
            seed,
            why,
            operations: history.len(),
            acknowledged: history.iter().filter(|operation| is_acknowledged(operation)).count(),
            unanswered: unclear.len(),
            resolved: unclear.iter().filter(|operation| resolved.contains(&operation.number)).count(),
            longest_silence: longest_silence(history),
            findings,
            ..Self::default()
        }
    }

    /// Makes a finding of requests without a clear answer, where nothing was broken that would excuse them.
    pub fn must_answer_all(&mut self) {
        if self.unanswered > 0 {
            let text = format!("{} requests without a clear answer: {:?}", self.unanswered, self.why);
            self.findings.push(Finding::new(Kind::Unexpected, text));
        }
    }

    /// The longest silence, to be told.
    pub fn silence(&self) -> String {
        self.longest_silence
            .map_or_else(|| String::from("not kept"), |time| format!("{} ms", time.as_millis()))
    }

    /// Whether all was well.
    pub const fn passed(&self) -> bool {
        self.findings.is_empty()
    }
}

fn longest_silence(history: &[Operation]) -> Option<Duration> {
    let by_server = |operation: &&Operation| {
        !matches!(operation.action, Action::Reopen { .. } | Action::Revoke { .. }) && !operation.is_unclear()
    };
    let mut ends: Vec<u64> = history.iter().filter(by_server).map(|operation| operation.ended_us).collect();
    ends.sort_unstable();
    let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().map(Duration::from_micros)
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            operations,
            acknowledged,
            unanswered,
            resolved,
            kills,
            events,
            repeated,
            audited,
            ..
        } = self;
        let verdict = if self.passed() {
            String::from("nothing found")
        } else {
            format!("{} FINDINGS", self.findings.len())
        };
        write!(
            formatter,
            "{name}: {operations} operations, {acknowledged} acknowledged, {unanswered} unanswered ({resolved} resolved), {kills} kills, \
             {events} events (and {repeated} repeated), {audited} audit rows, longest silence {}, {:.0} s",
            self.silence(),
            self.took.as_secs_f64(),
        )?;
        for note in &self.notes {
            write!(formatter, ", {note}")?;
        }
        write!(formatter, ": {verdict}")?;
        for finding in self.findings.iter().take(TOLD_MAX) {
            write!(formatter, "\n  {finding}")?;
        }
        if let Some(kept) = &self.kept {
            write!(formatter, "\n  the history is {}", kept.display())?;
        }
        Ok(())
    }
}
