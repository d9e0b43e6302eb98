//! MongoDB straight through its driver, as durable as the server has it: acknowledged by the majority, journalled.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bson::{RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, ReturnDocument, WriteConcern,
};
use mongodb::{Client, Collection, Database};

use super::mongodb_stop::{Stop, binary};
use super::{Lane, Meter, all};
use crate::job::{Job, Outcome, StopWork, Way, Work};

/// The server's collection.
pub(crate) const COLLECTION: &str = "device_dispenses";

pub(super) async fn run(job: &Arc<Job>) -> Result<Outcome> {
    let Way::Mongodb { uri, database, together } = &job.way else { bail!("this goes to MongoDB") };
    let mut options = ClientOptions::parse(uri).await.context("reading MongoDB's connection string")?;
    let workers = job.at_once.div_ceil(*together);
    options.max_pool_size = Some(u32::try_from(job.at_once)?);
    options.min_pool_size = Some(u32::try_from(workers)?);
    let database = Client::with_options(options)?.database(database);
    database.run_command(doc! { "ping": 1 }).await.context("reaching MongoDB")?;
    let meter = Arc::new(Meter::start(job));
    let workers = (0..workers).map(|_| {
        let (job, meter, database, together) = (job.clone(), meter.clone(), database.clone(), *together);
        tokio::spawn(async move {
            match &job.work {
                Work::Stop(work) if together == 1 => singly(work, &meter, &database).await,
                Work::Stop(work) => shared(work, &meter, &database, together).await,
                Work::Show(work) => find(work, &meter, &database).await,
                Work::Update(_) | Work::Create(_) | Work::Complete(_) | Work::Refusals | Work::Get(_) => {
                    bail!("MongoDB is driven with stops and shows alone")
                }
            }
        })
    });
    all(workers.collect()).await?;
    Arc::into_inner(meter).context("somebody is still at work")?.outcome()
}

fn majority() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

fn dispenses(database: &Database) -> Collection<RawDocumentBuf> {
    let options =
        CollectionOptions::builder().read_concern(ReadConcern::local()).write_concern(majority()).build();
    database.collection_with_options(COLLECTION, options)
}

/// One write for each stop, which gives the document after it.
async fn singly(work: &StopWork, meter: &Meter, database: &Database) -> Result<()> {
    let dispenses = dispenses(database);
    let mut lane = Lane::default();
    while let Some(turn) = meter.turn() {
        let began = Instant::now();
        let Stop { expected, update, .. } = Stop::of(work, turn);
        let update = dispenses.find_one_and_update(expected, update).return_document(ReturnDocument::After);
        let after = update.await.context("stopping a dispense in MongoDB")?;
        ensure!(after.is_some(), "there was no dispense to stop for turn {turn}");
        meter.done(&mut lane, began);
    }
    meter.hand_in(lane);
    Ok(())
}

/// One find by id for each dispense.
async fn find(work: &StopWork, meter: &Meter, database: &Database) -> Result<()> {
    let dispenses = dispenses(database);
    let mut lane = Lane::default();
    while let Some(turn) = meter.turn() {
        let began = Instant::now();
        let found = dispenses.find_one(doc! { "_id": binary(work.dispense(turn)) }).await;
        ensure!(found.context("finding a dispense in MongoDB")?.is_some(), "turn {turn} has no dispense");
        meter.done(&mut lane, began);
    }
    meter.hand_in(lane);
    Ok(())
}

/// One unordered batch for many stops, then one look at the documents after it, found by their events.
async fn shared(work: &StopWork, meter: &Meter, database: &Database, together: usize) -> Result<()> {
    let dispenses = dispenses(database);
    let mut lane = Lane::default();
    loop {
        let turns = meter.turns(together);
        if turns.is_empty() {
            break;
        }
        let began = Instant::now();
        let stops: Vec<Stop> = turns.map(|turn| Stop::of(work, turn)).collect();
        let ids: Vec<_> = stops.iter().map(|stop| binary(stop.id)).collect();
        let events: Vec<_> = stops.iter().map(|stop| binary(stop.event)).collect();
        let updates: Vec<_> =
            stops.into_iter().map(|stop| doc! { "q": stop.expected, "u": stop.update }).collect();
        let due = updates.len();
        let command = doc! {
            "update": COLLECTION, "updates": updates, "ordered": false,
            "writeConcern": { "w": "majority", "j": true },
        };
        let answer = database.run_command(command).await.context("stopping dispenses in MongoDB")?;
        ensure!(!answer.contains_key("writeErrors"), "MongoDB refused some of the stops: {answer}");
        let applied = doc! { "_id": { "$in": ids }, "esoz_outbox.events.id": { "$in": events } };
        let after: Vec<RawDocumentBuf> =
            dispenses.find(applied).batch_size(u32::try_from(due)?).await?.try_collect().await?;
        ensure!(after.len() == due, "{} of {due} dispenses were stopped", after.len());
        for _ in 0..due {
            meter.done(&mut lane, began);
        }
    }
    meter.hand_in(lane);
    Ok(())
}
