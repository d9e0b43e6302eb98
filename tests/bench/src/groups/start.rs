//! How long after its start a server gives its first answer.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use esoz_test_servers::ReservedPort;

use super::{Figure, Measured, Settings};
use crate::stage::{Events, Server, Stage, Store};
use crate::stats::Spread;

/// How often for each round: it is soon done.
const STARTS_PER_ROUND: usize = 4;

const AT_MOST_MS: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(30);
const KNOCK_EVERY: Duration = Duration::from_micros(200);

pub(super) fn measure(settings: &Settings, measured: &mut Measured, tell: &dyn Fn(&str)) -> Result<()> {
    let starts = settings.rounds * STARTS_PER_ROUND;
    let stage = Stage::new(Store::Sqlite, &settings.program, &settings.venue)?;
    let dispenses = settings.records.max(u64::try_from(starts)?);
    stage.load_dispenses(Store::Sqlite, 0, dispenses)?;
    let work = stage.stop_work(0, dispenses);
    let mut took_ms = Vec::new();
    for start in 0..starts {
        let port = ReservedPort::new()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let began = Instant::now();
        let spawned = Server::spawn(
            &settings.program,
            &stage.variables(Events::Go),
            stage.folder(),
            &address.to_string(),
        )?;
        let (patient, dispense) = (work.patient, work.dispense(u64::try_from(start)?));
        let path = format!("/api/patients/{patient}/device_dispenses/{dispense}/actions/stop");
        let answer = first_answer(address, &path, stage.token(), began + PATIENCE)?;
        took_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        ensure!(answer.starts_with("HTTP/1.1 200 "), "the first answer was {answer}");
        spawned.stop()?;
    }
    if let Some(took) = Spread::of(took_ms) {
        let what = "from the start of the process on SQLite to its first answer, a stopped dispense";
        let figure = Figure::of(what, took, "ms").at_most(AT_MOST_MS);
        tell(&format!("start: {} ms", figure.shown()));
        measured.figures.push(figure);
    }
    Ok(())
}

/// Knocks until somebody opens, asks, and gives the whole answer.
fn first_answer(address: SocketAddr, path: &str, token: &str, until: Instant) -> Result<String> {
    let request = format!(
        "PATCH {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect(address) else {
            std::thread::sleep(KNOCK_EVERY);
            continue;
        };
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        return Ok(answer);
    }
    bail!("nobody listened at {address}")
}
