//! N40: the day in Ukraine, in winter and in summer.

use esoz_kernel::{CivilDate, Timestamp};
use esoz_tests::{CreateFixture, TestApp, on_every_store};

use super::{EXPIRED, NOT_QUALIFIED, Told};

const ENDS_TODAY: Told = Told::Refused(&[("$.performer", "end_date must be in future")]);

/// A day, its last minute in Ukraine, and the two moments around its end.
struct Day {
    date: CivilDate,
    next: CivilDate,
    within: [&'static str; 2],
    after: [&'static str; 2],
}

const DAYS: [Day; 2] = [
    Day {
        date: CivilDate::constant(2026, 1, 31),
        next: CivilDate::constant(2026, 2, 1),
        within: ["2026-01-31T21:59:00Z", "2026-01-31T21:59:59.999999Z"],
        after: ["2026-01-31T22:00:00Z", "2026-01-31T22:01:00Z"],
    },
    Day {
        date: CivilDate::constant(2026, 7, 15),
        next: CivilDate::constant(2026, 7, 16),
        within: ["2026-07-15T20:59:00Z", "2026-07-15T20:59:59.999999Z"],
        after: ["2026-07-15T21:00:00Z", "2026-07-15T21:01:00Z"],
    },
];

/// A create of the fixture, changed for that day, is recorded until its end, and refused from then on.
async fn until_the_end_of(app: &TestApp, day: &Day, change: impl Fn(&mut CreateFixture), told: Told) {
    for (moments, is_refused) in [(day.within, false), (day.after, true)] {
        for moment in moments {
            app.clock.set(moment.parse::<Timestamp>().unwrap());
            let mut fixture = CreateFixture::new(app);
            change(&mut fixture);
            fixture.store(app).await;
            let answer = fixture.create(app, &fixture.body()).await;
            if is_refused {
                told.assert_is(&answer);
            } else {
                assert_eq!(answer.status, 201, "{moment}: {:#}", answer.body);
            }
        }
    }
}

on_every_store! {
    async fn n40_a_request_that_ends_today(kind) {
        let app = TestApp::new(kind).await;
        for day in &DAYS {
            until_the_end_of(&app, day, |it| it.request.facts.dispense_valid_to = day.date, EXPIRED).await;
        }
    }

    async fn n40_a_performer_whose_post_ends_tomorrow(kind) {
        let app = TestApp::new(kind).await;
        for day in &DAYS {
            until_the_end_of(&app, day, |it| it.records.employee.facts.end_date = Some(day.next), ENDS_TODAY).await;
        }
    }

    async fn n40_a_program_device_until_today(kind) {
        let app = TestApp::new(kind).await;
        for day in &DAYS {
            until_the_end_of(&app, day, |it| it.records.device.facts.end_date = Some(day.date), NOT_QUALIFIED).await;
        }
    }

    async fn n40_a_program_device_from_tomorrow(kind) {
        let app = TestApp::new(kind).await;
        for day in &DAYS {
            for (moment, is_taken) in [(day.within[1], false), (day.after[0], true)] {
                app.clock.set(moment.parse::<Timestamp>().unwrap());
                let mut fixture = CreateFixture::new(&app);
                fixture.records.device.facts.start_date = day.next;
                fixture.store(&app).await;
                let answer = fixture.create(&app, &fixture.body()).await;
                if is_taken {
                    assert_eq!(answer.status, 201, "{moment}: {:#}", answer.body);
                } else {
                    NOT_QUALIFIED.assert_is(&answer);
                }
            }
        }
    }
}
