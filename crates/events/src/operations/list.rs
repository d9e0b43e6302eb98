use std::sync::Arc;

use esoz_auth::{CallerKind, Operation, Permit};
use esoz_kernel::{Clock, Page, PageRequest, StoreError, Timestamp, failure};

use crate::{Attribute, EventFilter, EventLog, LoggedEvent, Period, PeriodError};

/// Which events to list: those that meet every filter that is given.
#[derive(Debug, Clone)]
pub struct ListEventsInput {
    /// That happened in this period, which [`ListEvents::period`] gives.
    pub period: Period,
    /// Of this type.
    pub event_type: Option<String>,
    /// Of entities of this type.
    pub entity_type: Option<String>,
    /// With this attribute.
    pub attribute: Option<Attribute>,
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

    /// Lists a page of the events, in the order of the log.
    ///
    /// # Errors
    /// [`ListEventsError`].
    pub async fn execute(
        &self,
        _: &Permit<Self>,
        input: ListEventsInput,
    ) -> Result<Page<LoggedEvent>, ListEventsError> {
        let ListEventsInput { period, event_type, entity_type, attribute, page } = input;
        let filter = EventFilter { period, event_type, entity_type, attribute };
        if !filter.can_match() {
            return Ok(Page::empty());
        }
        self.log.list(&filter, page).await.map_err(ListEventsError::Store)
    }
}

#[cfg(test)]
mod tests {
    use esoz_kernel::{ErrorKind, Failure as _, StoreErrorKind};
    use pollster::block_on;

    use super::*;
    use crate::MockEventLog;
    use crate::operations::tests::{event, permit};

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

    fn input(event_type: Option<&str>) -> ListEventsInput {
        let event_type = event_type.map(str::to_owned);
        let period = operation(MockEventLog::new()).period(None, None).unwrap();
        let page = PageRequest::new(2, 3).unwrap();
        ListEventsInput { period, event_type, entity_type: None, attribute: None, page }
    }

    #[test]
    fn given_filters_then_the_log_is_asked_for_the_page_of_what_meets_them() {
        let mut log = MockEventLog::new();
        let period = input(None).period;
        assert_eq!(period.until(), "2026-01-31T09:00:00Z".parse().unwrap());
        let expected = EventFilter {
            period,
            event_type: Some("StatusChangeEvent".to_owned()),
            entity_type: None,
            attribute: None,
        };
        log.expect_list()
            .withf(move |filter, page| *filter == expected && *page == PageRequest::new(2, 3).unwrap())
            .times(1)
            .returning(|_, _| Ok(Page { items: vec![event("{}")], total_entries: 7 }));
        let listed = block_on(operation(log).execute(&permit(), input(Some("StatusChangeEvent")))).unwrap();
        assert_eq!(listed, Page { items: vec![event("{}")], total_entries: 7 });
    }

    #[test]
    fn given_a_text_that_no_event_holds_then_there_are_none_and_no_store_is_asked() {
        let nothing = || operation(MockEventLog::new());
        let by_type = input(Some("Status\0"));
        let name = "\0".to_owned();
        let by_name = ListEventsInput {
            attribute: Some(Attribute { name, new_value: Some(String::new()) }),
            ..input(None)
        };
        let attribute = Attribute { name: "status".to_owned(), new_value: Some("\0".to_owned()) };
        let by_value = ListEventsInput { attribute: Some(attribute), ..input(None) };
        for input in [by_type, by_name, by_value] {
            assert_eq!(block_on(nothing().execute(&permit(), input)).unwrap(), Page::empty());
        }
    }

    #[test]
    fn given_a_store_that_fails_then_the_failure_is_passed_on() {
        let mut log = MockEventLog::new();
        log.expect_list().returning(|_, _| Err(StoreError::new(StoreErrorKind::Unavailable, "testing")));
        let error = block_on(operation(log).execute(&permit(), input(None))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
