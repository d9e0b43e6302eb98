use std::time::Duration;

use tokio::time::Instant;

use crate::queue::LossCounter;

/// The minimum time between two reports of lost spans.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Decides when lost spans are reported; holds the time of the last report.
#[derive(Debug, Default)]
pub(crate) struct LossReport(Option<Instant>);

impl LossReport {
    /// Returns how many lost spans to report now: 0 within the interval, where they stay counted.
    pub(crate) fn when_due(&mut self, lost: &LossCounter, now: Instant) -> u64 {
        let is_early = self.0.is_some_and(|last| now.duration_since(last) < REPORT_INTERVAL);
        if is_early { 0 } else { self.at_once(lost, now) }
    }

    /// Returns how many lost spans were not reported yet, whatever the interval.
    pub(crate) fn at_once(&mut self, lost: &LossCounter, now: Instant) -> u64 {
        let lost = lost.take();
        if lost > 0 {
            self.0 = Some(now);
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_of_at_once_and_the_others_a_minute_later() {
        let (mut report, lost) = (LossReport::default(), LossCounter::default());
        let begin = Instant::now();
        let mut at = |seconds: f64, spans: usize| {
            lost.add(spans);
            report.when_due(&lost, begin + Duration::from_secs_f64(seconds))
        };
        assert_eq!(at(0.0, 0), 0);
        assert_eq!(at(10.0, 3), 3, "nothing was told of before");
        assert_eq!(at(11.0, 2), 0);
        assert_eq!(at(69.9, 4), 0);
        assert_eq!(at(70.0, 0), 6);
        assert_eq!(at(71.0, 1), 0);
        assert_eq!(report.at_once(&lost, begin + Duration::from_secs(72)), 1);
        assert_eq!(report.at_once(&lost, begin + Duration::from_secs(73)), 0);
    }
}
