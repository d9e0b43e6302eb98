//! How many requests that lack a token are refused in a second.

use anyhow::Result;

use super::{Figure, Measured, Settings, whole};
use crate::drive::{TOGETHER, run_apart};
use crate::job::{Job, Work};
use crate::stage::{Server, nowhere};
use crate::stats::Spread;

const AT_LEAST: f64 = 20_000.0;

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("esoz-bench-").tempdir()?;
    // No store answers: had a refusal to touch one, it would be another answer.
    let server = Server::start(&settings.program, &nowhere(), folder.path(), Server::ANY_PORT)?;
    let mut rates = Vec::new();
    for round in 0..settings.rounds {
        let job = Job {
            work: Work::Refusals,
            way: crate::job::Way::Http {
                address: server.address(),
                token: String::new(),
                api_key: String::new(),
            },
            at_once: 2 * TOGETHER,
            warm_up_ms: whole(settings.warm_up() * 1_000.0),
            measure_ms: whole(settings.seconds * 1_000.0),
            first: 0,
            most: u64::MAX / 2,
        };
        let rate = run_apart(&job)?.per_second();
        tell(&format!("round {}: {rate:.0} refusals/s", round + 1));
        rates.push(rate);
    }
    let what = "401 without a token, no store being there";
    measured
        .figures
        .extend(Spread::of(rates).map(|rates| Figure::of(what, rates, "a second").at_least(AT_LEAST)));
    server.stop()
}
