//! What cannot be delivered, now or ever, is in nobody's way.

use std::time::Duration;

use esoz_device_dispense::DispenseStatus;
use esoz_events::{Outbox, Which};
use esoz_testkit::contract::RawOutbox;
use pollster::block_on;

use super::{BACKOFF, RelayFixture, round, round_at};

#[test]
fn given_an_event_that_fails_then_its_entity_rests_for_longer_each_time_and_no_other_does() {
    let fixture = RelayFixture::new();
    let failing = fixture.twice_changed(0);
    fixture.bus.refuse(failing[0].entity_id);
    let relay = fixture.relay(10);
    let mut attempts = Vec::new();
    for second in 0..16 {
        let other = fixture.twice_changed(second * 10 + 10);
        let done = round_at(&relay, second.unsigned_abs());
        assert_eq!(done.delivered, 2, "{other:?} at {second} s");
        if done.failed > 0 {
            attempts.push(second);
        }
        assert!(done.resume.is_some_and(|left| left <= BACKOFF.longest), "{:?}", done.resume);
    }
    assert_eq!(attempts, [0, 1, 3, 7, 11, 15]);
    fixture.bus.accept(failing[0].entity_id);
    let done = round_at(&relay, 19);
    assert_eq!((done.delivered, done.resume), (2, None));
}

#[test]
fn given_as_many_failing_entities_at_the_head_as_a_round_takes_then_the_next_round_passes_them() {
    let fixture = RelayFixture::new();
    for millis in 0..4 {
        fixture.bus.refuse(fixture.twice_changed(millis * 10)[0].entity_id);
    }
    let sound = fixture.twice_changed(100);
    let relay = fixture.relay(4);
    assert_eq!(round(&relay).failed, 8);
    assert_eq!(round(&relay).delivered, 2);
    assert_eq!(fixture.bus.taken(), sound);
}

#[test]
fn given_a_bus_that_is_away_then_the_relay_claims_no_more_until_somebody_has_rested() {
    let fixture = RelayFixture::new();
    for millis in 0..10 {
        fixture.bus.refuse(fixture.twice_changed(millis * 10)[0].entity_id);
    }
    let relay = fixture.relay(2);
    let failed: Vec<_> = (0..4).map(|_| round(&relay).failed).collect();
    assert_eq!(failed, [4, 4, 0, 0], "twice as many as a round takes");
    assert_eq!(round(&relay).resume, Some(BACKOFF.first));
    assert_eq!(round_at(&relay, 1).failed, 4);
    // The last round of a server that stops tries everything.
    assert_eq!(block_on(relay.run_once(Duration::MAX)).unwrap().failed, 4);
}

#[test]
fn given_an_event_that_is_refused_for_good_then_it_is_set_aside_and_its_entity_waits_behind_it() {
    let fixture = RelayFixture::new();
    let mut one = fixture.put();
    let first = fixture.change(&mut one, DispenseStatus::Stopped, 0);
    let refused = fixture.change(&mut one, DispenseStatus::EnteredInError, 1);
    let last = fixture.change(&mut one, DispenseStatus::Unknown, 2);
    let other = fixture.twice_changed(10);
    fixture.bus.refuse_for_good(refused.id);
    let relay = fixture.relay(10);
    let done = round(&relay);
    assert_eq!((done.delivered, done.failed, done.resume), (3, 0, None));
    let [set_aside] = done.set_aside.as_slice() else { panic!("{:?}", done.set_aside) };
    assert_eq!((&set_aside.id, &set_aside.entity_id), (&refused.id.to_string(), &one.id.to_string()));
    assert!(set_aside.reason.contains("told so"), "{set_aside:?}");
    assert_eq!(block_on(fixture.dispenses.list_set_aside(10)).unwrap(), done.set_aside);
    assert_eq!(fixture.taken_of(one.id.uuid()), std::slice::from_ref(&first));
    assert_eq!(fixture.taken_of(other[0].entity_id), other);
    assert!(round(&relay).is_idle(), "it was told of once");

    fixture.bus.accept_event(refused.id);
    assert_eq!(block_on(fixture.dispenses.retry(&Which::All)).unwrap(), 1);
    assert_eq!(round(&relay).delivered, 2);
    assert_eq!(fixture.taken_of(one.id.uuid()), [first, refused, last]);
}

#[test]
fn given_an_event_that_cannot_be_read_then_the_round_tells_of_it_and_delivers_the_others() {
    let fixture = RelayFixture::new();
    let unreadable = fixture.twice_changed(0);
    let sound = fixture.twice_changed(10);
    block_on(fixture.dispenses.make_readable(unreadable[0].reference(), false));
    let relay = fixture.relay(10);
    let done = round(&relay);
    assert_eq!((done.delivered, done.failed, done.set_aside.len()), (2, 0, 1));
    assert_eq!(fixture.bus.taken(), sound);
    assert!(round(&relay).is_idle());
}
