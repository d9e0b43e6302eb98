use esoz_auth::{Caller, Operation as _, Principal, Scope, authorize};
use esoz_events::{EventFilter, ListEvents, ListEventsInput, LoggedEvent};
use esoz_kernel::{ClientId, PageRequest, UserId, Uuid};

use crate::Api;

/// How many events are shown.
const SHOWN: u32 = 20;

/// Lists the latest events of the period that a list covers, newest first; none where they cannot be read.
pub(crate) async fn latest_events(api: &Api) -> Vec<LoggedEvent> {
    latest(async |number| page_of(api, number).await).await
}

/// The last entries of a list that begins with the oldest, newest first.
async fn latest<T>(page_of: impl AsyncFn(u32) -> Option<(Vec<T>, u64)>) -> Vec<T> {
    let Some((mut latest, pages)) = page_of(1).await else { return Vec::new() };
    // The last page, and the one before that to fill it up.
    if let Some(last) = u32::try_from(pages).ok().filter(|pages| *pages > 1) {
        latest.clear();
        for number in [last - 1, last] {
            latest.extend(page_of(number).await.into_iter().flat_map(|(entries, _)| entries));
        }
    }
    latest.into_iter().rev().zip(0..SHOWN).map(|(entry, _)| entry).collect()
}

/// A page of the events, and how many pages there are.
async fn page_of(api: &Api, number: u32) -> Option<(Vec<LoggedEvent>, u64)> {
    let list = &api.events.list;
    let page = PageRequest::new(number, SHOWN)?;
    let period = list.period(None, None).ok()?;
    // The configuration that turns the page on lets anybody read the log.
    let (user_id, client_id) = (UserId::new(Uuid::nil()), ClientId::new(Uuid::nil()));
    let principal = Principal { user_id, client_id, scope: Scope::parse(ListEvents::SCOPE) };
    let permit = authorize::<ListEvents>(&Caller { principal, api_key: None }).ok()?;
    let filter = EventFilter { period, event_type: None, entity_type: None, attribute: None };
    let listed = list.execute(&permit, ListEventsInput { filter, page }).await.ok()?.page;
    Some((listed.items, page.total_pages(listed.total_entries)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn the_latest_are_those_at_the_end_of_the_list() {
        for total in [0, 5, 20, 21, 45, 60] {
            let entries: Vec<usize> = (0..total).collect();
            let pages: Vec<&[usize]> = entries.chunks(20).collect();
            let count = u64::try_from(pages.len()).unwrap();
            let page_of = async |number: u32| {
                let page = pages.get(usize::try_from(number).unwrap() - 1).copied();
                Some((page.unwrap_or_default().to_vec(), count))
            };
            let expected: Vec<usize> = entries.iter().rev().take(20).copied().collect();
            assert_eq!(latest(page_of).await, expected, "{total}");
        }
        assert!(latest::<()>(async |_| None).await.is_empty());
    }
}
