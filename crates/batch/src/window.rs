use std::time::Duration;

/// How many jobs may share a batch now: fewer after one that took too long, more after one that was full and fast.
pub(crate) struct Window {
    jobs: usize,
    most: usize,
    target: Duration,
}

impl Window {
    pub(crate) fn new(most: usize, target: Duration) -> Self {
        let most = most.max(1);
        Self { jobs: most, most, target }
    }

    pub(crate) const fn jobs(&self) -> usize {
        self.jobs
    }

    /// Adapts to how long a batch took. One that failed counts as one that took twice the target at least: why it failed is not known.
    pub(crate) fn measure(&mut self, jobs: usize, took: Duration, has_succeeded: bool) {
        let took = if has_succeeded { took } else { took.max(self.target * 2) };
        if took > self.target {
            let in_time =
                u128::try_from(jobs).unwrap_or_default() * self.target.as_micros() / took.as_micros().max(1);
            self.jobs = usize::try_from(in_time).unwrap_or(1).clamp(1, self.jobs);
        } else if jobs == self.jobs && took < self.target / 2 {
            self.jobs = self.jobs.saturating_mul(2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_took_too_long_leaves_as_many_jobs_as_would_have_been_in_time() {
        let mut window = Window::new(32, Duration::from_millis(500));
        let mut after = |jobs, millis| {
            window.measure(jobs, Duration::from_millis(millis), true);
            window.jobs()
        };
        assert_eq!(after(32, 400), 32);
        assert_eq!(after(32, 1_000), 16);
        assert_eq!(after(3, 100), 16, "a batch that was not full tells nothing");
        assert_eq!(after(16, 300), 16, "nor does one that took more than half of the time");
        assert_eq!(after(16, 200), 32);
        assert_eq!(after(1, 2_000), 1);
        assert_eq!(after(1, 10), 2);
    }

    #[test]
    fn a_batch_that_fails_fast_makes_the_next_one_smaller() {
        let mut window = Window::new(32, Duration::from_millis(500));
        for expected in [16, 8, 4, 2, 1, 1] {
            window.measure(window.jobs(), Duration::from_millis(1), false);
            assert_eq!(window.jobs(), expected);
        }
    }
}
