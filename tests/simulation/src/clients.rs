//! Clients: what they ask for, and how long they wait for the answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use esoz_contract_division::Pair;
use esoz_kernel::{ClientId, IdempotencyKey, PatientId, UserId};

use crate::pharmacy;
use crate::replicas::Replicas;
use crate::rng::Rng;
use crate::slot::slot;
use crate::watch::{Answer, Ask, Request};
use crate::world::{World, id};

pub(crate) async fn client(replicas: Arc<Replicas>, number: usize) {
    let world = &replicas.world;
    let asks = world.sim.draw(|rng| 1 + rng.index(4));
    for ask in 0..asks {
        let user = UserId::new(id(7, number * 10 + ask));
        let request = world.sim.draw(|rng| imagined(world, rng, user));
        world.sim.note(|| {
            format!(
                "client {number} wants {request:?}, key {:?}",
                request.key.as_ref().map(IdempotencyKey::as_str)
            )
        });
        let request = world.watch.ask(request);
        for _ in 0..3 {
            let patience = world.sim.draw(|rng| Duration::from_millis(50 + rng.below(5_000)));
            if send(&replicas, request, Some(patience)).await != Answer::Nothing
                || world.sim.draw(|rng| rng.one_in(3))
            {
                break;
            }
        }
        let pause = world.sim.draw(|rng| Duration::from_millis(rng.below(500)));
        world.sim.sleep(pause).await;
    }
}

fn imagined(world: &World, rng: &mut Rng, user: UserId) -> Request {
    let of = *rng.pick(&world.watch.belongings);
    let key = rng.one_in(2).then(|| format!("key {}", rng.below(2)).replace(' ', "-"));
    let key = key.map(|key| IdempotencyKey::parse(&key).expect("a key"));
    let dispense = of.dispense;
    // A client signs what it has been shown.
    let shown = world.watch.stored().dispenses.remove(&dispense);
    let (client, ask) = match (rng.below(32), shown) {
        (0, _) => (of.owner, Ask::Stop { dispense, patient: PatientId::new(id(3, 9)) }),
        (1, _) => {
            let other = ClientId::new(id(1, usize::from(of.is_once)));
            (other, Ask::Stop { dispense, patient: of.patient })
        }
        (2..=9, _) => (of.owner, Ask::Stop { dispense, patient: of.patient }),
        (10..=13, _) | (14..=25, None) => (of.owner, Ask::Create { dispense }),
        (14..=19, Some(shown)) => {
            (of.owner, Ask::Complete { dispense, content: pharmacy::completed(&of, &shown) })
        }
        (20..=25, Some(shown)) => {
            (of.owner, Ask::MarkInError { dispense, content: pharmacy::in_error(&of, &shown) })
        }
        _ => {
            let record = rng.pick(&world.records).id;
            let change = Pair {
                division_id: rng.pick(&world.divisions).facts.id,
                contract_id: rng.pick(&world.contracts).facts.id,
            };
            (ClientId::new(id(1, rng.index(2))), Ask::Update { record, change })
        }
    };
    Request { user, client, key, ask }
}

/// Sends a request to a server, and waits for its answer no longer than that. The server goes on with it, whoever waits.
pub(crate) async fn send(replicas: &Replicas, request: usize, patience: Option<Duration>) -> Answer {
    let world = &replicas.world;
    let Some(process) = replicas.somebody() else {
        world.sim.sleep(Duration::from_millis(100)).await;
        return Answer::Nothing;
    };
    let asked = world.watch.requests()[request].clone();
    let attempt = world.watch.begin(request);
    world.sim.count(|stats| stats.requests += 1);
    let (promise, mut awaited) = slot();
    let owner = process.owner;
    world.sim.spawn(owner, async move { promise.keep(process.answer(&asked).await) });
    let mut patience = patience.map(|patience| world.sim.sleep(patience));
    let answer = poll_fn(|context| match Pin::new(&mut awaited).poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => match patience.as_mut().map(|patience| Pin::new(patience).poll(context)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        },
    });
    let answer = answer.await.unwrap_or(Answer::Nothing);
    world.sim.note(|| format!("request {request} at {owner:?}: {answer:?}"));
    world.sim.count(|stats| match answer {
        Answer::Changed { .. } | Answer::Updated(_) => stats.carried_out += 1,
        Answer::Nothing => stats.unanswered += 1,
        Answer::Refused(_) => {}
    });
    world.watch.end(attempt, answer.clone());
    answer
}
