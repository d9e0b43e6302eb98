use super::*;
use crate::state::Entry;

fn entry(status: &str, at: &str) -> Entry {
    Entry { status: status.to_owned(), at: at.to_owned(), by: "user".to_owned() }
}

fn event(id: &str, key: &str, entry: &Entry) -> Delivered {
    Delivered {
        id: id.to_owned(),
        dispense: key.to_owned(),
        status: entry.status.clone(),
        at: entry.at.clone(),
        by: entry.by.clone(),
        request_id: String::new(),
    }
}

/// Plants a fault.
type Plant = fn(&mut Run);

/// A dispense that was recorded and completed, its request and its events; one of them came twice.
struct Run {
    taken: Taken,
    stored: BTreeMap<String, Stored>,
    topic: Vec<Delivered>,
}

impl Run {
    fn well() -> Self {
        let entries = vec![entry("in_progress", "1"), entry("completed", "2")];
        let told = |entry: &Entry, links: &[&str]| Told {
            status: entry.status.clone(),
            at: entry.at.clone(),
            by: entry.by.clone(),
            links: links.iter().map(ToString::to_string).collect(),
        };
        let created = Step { status: "in_progress", answers: vec![told(&entries[0], &[])] };
        let answer = told(&entries[1], &["document"]);
        let completed = Step { status: "completed", answers: vec![answer.clone(), answer] };
        let topic = vec![
            event("a", "dispense", &entries[0]),
            event("a", "dispense", &entries[0]),
            event("b", "dispense", &entries[1]),
            event("c", "request", &entries[1]),
        ];
        let dispense = StoredDispense {
            status: "completed".to_owned(),
            updated_at: "2".to_owned(),
            updated_by: "user".to_owned(),
            entries,
            waiting: 0,
        };
        let stored = Stored {
            dispense,
            links: vec!["document".to_owned()],
            without_document: Vec::new(),
            request: "completed".to_owned(),
        };
        Self {
            taken: Taken {
                dispense: "dispense".to_owned(),
                request: "request".to_owned(),
                steps: vec![created, completed],
            },
            stored: BTreeMap::from([("dispense".to_owned(), stored)]),
            topic,
        }
    }

    fn stored(&mut self) -> &mut Stored {
        self.stored.get_mut("dispense").expect("the dispense")
    }

    fn found(&self) -> Vec<Kind> {
        let findings = check(std::slice::from_ref(&self.taken), &self.stored, &self.topic);
        findings.iter().map(|finding| finding.kind).collect()
    }
}

#[test]
fn given_a_run_in_which_all_is_well_then_nothing_is_found() {
    assert_eq!(Run::well().found(), []);
}

#[test]
fn each_planted_fault_is_found() {
    let faults: [(Kind, Plant); 15] = [
        (Kind::Lost, |run| run.stored.clear()),
        (Kind::Lost, |run| drop(run.stored().dispense.entries.pop())),
        (Kind::Twice, |run| {
            let again = entry("completed", "3");
            run.stored().dispense.entries.push(again);
        }),
        (Kind::Contradiction, |run| run.stored().dispense.status = "in_progress".to_owned()),
        (Kind::Contradiction, |run| run.stored().request = "active".to_owned()),
        (Kind::Undelivered, |run| run.stored().dispense.waiting = 1),
        (Kind::Lost, |run| run.stored().without_document.push("document".to_owned())),
        (Kind::Twice, |run| run.taken.steps.truncate(1)),
        (Kind::Dishonest, |run| run.taken.steps[1].answers[1].at = "3".to_owned()),
        (Kind::EventLost, |run| drop(run.topic.remove(2))),
        (Kind::EventLost, |run| drop(run.topic.remove(3))),
        (Kind::EventWithoutChange, |run| run.topic.push(event("d", "dispense", &entry("stopped", "3")))),
        (Kind::Twice, |run| run.topic.push(event("d", "request", &entry("completed", "2")))),
        (Kind::EventsOutOfOrder, |run| run.topic.rotate_left(2)),
        (Kind::Uninvited, |run| run.topic.push(event("d", "another", &entry("in_progress", "1")))),
    ];
    for (place, (kind, plant)) in faults.into_iter().enumerate() {
        let mut run = Run::well();
        plant(&mut run);
        assert!(run.found().contains(&kind), "fault {place}: {kind:?} is not in {:?}", run.found());
    }
}

#[test]
fn given_a_second_document_or_an_event_of_two_contents_then_it_is_found() {
    let mut run = Run::well();
    run.stored().links.push("another".to_owned());
    assert_eq!(run.found(), [Kind::Twice]);
    let mut run = Run::well();
    run.topic[1].at = "3".to_owned();
    assert_eq!(run.found(), [Kind::EventChanged]);
}
