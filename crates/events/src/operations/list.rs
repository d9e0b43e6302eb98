use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{Clock, Listed, PageRequest, StoreError, Timestamp, failure};

use crate::{EventFilter, EventLog, LoggedEvent, Period, PeriodError};

/// Which events to list.
#[derive(Debug, Clone)]
pub struct ListEventsInput {
    /// The conditions that each of them meets; its period is one that [`ListEvents::period`] gives.
    pub filter: EventFilter,
    /// The page of the list.
    pub page: PageRequest,
}

failure! {
    /// Why events were not listed.
    #[derive(Debug)]
    pub enum ListEventsError {
    } wraps {
        /// The log failed.
        Store(StoreError) => "the events could not be listed";
    }
}

/// Lists events.
#[derive(Clone)]
pub struct ListEvents {
    /// Where the events are kept.
    pub log: Arc<dyn EventLog>,
    /// When a list without dates ends.
    pub clock: Arc<dyn Clock>,
    /// The longest period of a list, in hours.
    pub max_period_hours: u32,
}

impl Operation for ListEvents {
    const NAME: &'static str = "list_events";
    const SCOPE: &'static str = "event:read";
    const CALLER: CallerKind = CallerKind::User;
    type Error = ListEventsError;
}

impl ListEvents {
    /// The most entries of a page.
    pub const MAX_PAGE_SIZE: u32 = 300;

    /// The period between two dates that were asked for, if they were (M03, M04).
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn period(&self, date: Option<Timestamp>, date_to: Option<Timestamp>) -> Result<Period, PeriodError> {
        Period::new(date, date_to, self.max_period_hours, self.clock.now())
    }

    /// Lists a page of the events, in the order of the log. An event that cannot be read is left out.
    ///
    /// # Errors
    /// [`ListEventsError`].
    pub async fn execute(
        &self,
        _: &Permit<Self>,
        input: ListEventsInput,
    ) -> Result<Listed<LoggedEvent>, ListEventsError> {
        let ListEventsInput { filter, page } = input;
        if !filter.can_match() {
            return Ok(Listed::empty());
        }
        let listed = self.log.list(&filter, page).await.map_err(ListEventsError::Store)?;
        Ok(listed.into())
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{ErrorKind, Failure as _, Page, StoreErrorKind};
    use pollster::block_on;

    use super::*;
    use crate::operations::fixtures::{event, permit};
    use crate::{Attribute, MockEventLog};

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn operation(log: MockEventLog) -> ListEvents {
        let clock = Arc::new(At("2026-01-31T09:00:00Z".parse().unwrap()));
        ListEvents { log: Arc::new(log), clock, max_period_hours: 2 }
    }

    fn filter(event_type: Option<&str>) -> EventFilter {
        let event_type = event_type.map(str::to_owned);
        let period = operation(MockEventLog::new()).period(None, None).unwrap();
        EventFilter { period, event_type, entity_type: None, attribute: None }
    }

    fn input(filter: EventFilter) -> ListEventsInput {
        ListEventsInput { filter, page: PageRequest::new(2, 3).unwrap() }
    }

    #[test]
    fn given_filters_then_the_log_is_asked_for_the_page_of_what_meets_them() {
        let mut log = MockEventLog::new();
        let expected = filter(Some("StatusChangeEvent"));
        assert_eq!(expected.period.until(), "2026-01-31T09:00:00Z".parse().unwrap());
        let asked = input(expected.clone());
        log.expect_list()
            .withf(move |filter, page| *filter == expected && *page == PageRequest::new(2, 3).unwrap())
            .times(1)
            .returning(|_, _| Ok(Page { items: vec![Ok(event("{}"))], total_entries: 7 }));
        let listed = block_on(operation(log).execute(&permit(), asked)).unwrap();
        assert_eq!(listed.page, Page { items: vec![event("{}")], total_entries: 7 });
        assert!(listed.unreadable.is_empty());
    }

    #[test]
    fn given_what_cannot_be_read_then_it_is_left_out_and_named() {
        let mut log = MockEventLog::new();
        let corrupt = || StoreError::corrupt("event_log", "7", "properties");
        let items = vec![Err(corrupt()), Ok(event("{}"))];
        log.expect_list().return_once(|_, _| Ok(Page { items, total_entries: 2 }));
        let Listed { page, unreadable } =
            block_on(operation(log).execute(&permit(), input(filter(None)))).unwrap();
        assert_eq!(page, Page { items: vec![event("{}")], total_entries: 2 });
        let named: Vec<String> = unreadable.iter().map(StoreError::to_string).collect();
        assert_eq!(named, [corrupt().to_string()]);
    }

    #[test]
    fn given_a_text_that_no_event_holds_then_there_are_none_and_no_store_is_asked() {
        let nothing = || operation(MockEventLog::new());
        let attribute = |name: &str, new_value: &str| {
            Some(Attribute { name: name.to_owned(), new_value: Some(new_value.to_owned()) })
        };
        let by_type = filter(Some("Status\0"));
        let by_name = EventFilter { attribute: attribute("\0", ""), ..filter(None) };
        let by_value = EventFilter { attribute: attribute("status", "\0"), ..filter(None) };
        for filter in [by_type, by_name, by_value] {
            let listed = block_on(nothing().execute(&permit(), input(filter))).unwrap();
            assert_eq!((listed.page, listed.unreadable.len()), (Page::empty(), 0));
        }
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let mut log = MockEventLog::new();
        log.expect_list().returning(|_, _| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        let error = block_on(operation(log).execute(&permit(), input(filter(None)))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
