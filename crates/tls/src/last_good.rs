use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// What files held when they could last be used. It stays in force while they cannot: they may be replaced at this moment, or by something
/// wrong.
#[derive(Debug)]
pub struct LastGood<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    /// The problem that was logged last.
    problem: Option<String>,
}

impl<T> Default for LastGood<T> {
    fn default() -> Self {
        Self(Mutex::new(State { value: None, problem: None }))
    }
}

impl<T: Clone> LastGood<T> {
    /// Returns what `read` returns or, if it fails and has succeeded before, what it returned then; a problem is then logged once, as
    /// `{what} cannot be read again`.
    ///
    /// # Errors
    /// The error of `read`, until it has succeeded.
    pub fn refresh<E: Display>(&self, what: &str, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let result = read();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (result, &state.value) {
            (Ok(value), _) => {
                *state = State { value: Some(value.clone()), problem: None };
                Ok(value)
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(value)) => {
                let (value, problem) = (value.clone(), error.to_string());
                if state.problem.as_ref() != Some(&problem) {
                    tracing::error!(
                        error = problem,
                        "{what} cannot be read again; what was read before stays in use"
                    );
                    state.problem = Some(problem);
                }
                Ok(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_good_stays_until_something_better_is_there() {
        let last: LastGood<u8> = LastGood::default();
        assert_eq!(last.refresh("it", || Err("broken")), Err("broken"));
        assert_eq!(last.refresh::<&str>("it", || Ok(1)), Ok(1));
        assert_eq!(last.refresh("it", || Err("broken")), Ok(1));
        assert_eq!(last.refresh::<&str>("it", || Ok(2)), Ok(2));
        assert_eq!(last.refresh("it", || Err("broken")), Ok(2));
    }
}
