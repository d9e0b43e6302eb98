//! PostgreSQL straight through tokio-postgres, in the role of the server, so with its rights and its audit trigger.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use esoz_kernel::Uuid;
use futures_util::future::{join_all, try_join3};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use super::{Lane, Meter, TOGETHER, all, postgres_sql};
use crate::ids::{Numbered, id};
use crate::job::{Job, Outcome, Statements, Toggle, UpdateWork, Way, Work};

/// Half a commit's requests: as many futures as are polled in their order.
const IN_ORDER: usize = 16;

pub(super) async fn run(job: &Arc<Job>) -> Result<Outcome> {
    let Way::Postgres { url, by } = &job.way else { bail!("this goes to PostgreSQL") };
    let Work::Update(_) = &job.work else { bail!("PostgreSQL has contract divisions alone") };
    let workers = if *by == Statements::Single { job.at_once } else { job.at_once.div_ceil(TOGETHER) };
    let mut connections = Vec::new();
    for _ in 0..workers {
        connections.push(Connection::open(url, *by).await?);
    }
    let meter = Arc::new(Meter::start(job));
    let workers = connections.into_iter().map(|connection| {
        let (job, meter) = (job.clone(), meter.clone());
        tokio::spawn(async move {
            let Work::Update(work) = &job.work else { bail!("PostgreSQL has contract divisions alone") };
            connection.work(work, &meter).await
        })
    });
    all(workers.collect()).await?;
    Arc::into_inner(meter).context("somebody is still at work")?.outcome()
}

/// Opens a connection whose session is like the server's.
pub(crate) async fn open(url: &str) -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    // How it ends, the next statement learns.
    tokio::spawn(connection);
    client.batch_execute(postgres_sql::SESSION).await.context("setting up a session")?;
    Ok(client)
}

struct Connection {
    client: Client,
    statement: Statement,
    by: Statements,
}

impl Connection {
    async fn open(url: &str, by: Statements) -> Result<Self> {
        let client = open(url).await?;
        client.batch_execute(postgres_sql::ROLE).await.context("taking the server's role")?;
        let text = if by == Statements::Rows { postgres_sql::UPDATE_ROWS } else { postgres_sql::UPDATE_ONE };
        let statement = client.prepare(text).await.context("preparing the statement")?;
        Ok(Self { client, statement, by })
    }

    async fn work(&self, work: &UpdateWork, meter: &Meter) -> Result<()> {
        let mut lane = Lane::default();
        let together = if self.by == Statements::Single { 1 } else { TOGETHER };
        loop {
            let turns = meter.turns(together);
            if turns.is_empty() {
                break;
            }
            let began = Instant::now();
            let asked: Vec<Asked> = turns.map(|turn| Asked::of(work, turn)).collect();
            match self.by {
                Statements::Single => self.one_by_one(&asked).await?,
                Statements::Rows => self.as_rows(&asked).await?,
                Statements::Pipelined => self.pipelined(&asked).await?,
            }
            for _ in asked {
                meter.done(&mut lane, began);
            }
        }
        meter.hand_in(lane);
        Ok(())
    }

    async fn one_by_one(&self, asked: &[Asked]) -> Result<()> {
        for each in asked {
            self.one(each).await?;
        }
        Ok(())
    }

    async fn one(&self, asked: &Asked) -> Result<()> {
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&asked.record, &asked.contract, &asked.division, &asked.at, &asked.by, &asked.request_id];
        let rows = self.client.query(&self.statement, &parameters).await.context("updating in PostgreSQL")?;
        ensure!(rows.len() == 1, "contract division {} was not updated", asked.record.0);
        Ok(())
    }

    /// All in one statement. They share one request id, which is less than the server must do.
    async fn as_rows(&self, asked: &[Asked]) -> Result<()> {
        let column = |of: fn(&Asked) -> Id| asked.iter().map(of).collect::<Vec<Id>>();
        let (records, contracts, divisions) =
            (column(|asked| asked.record), column(|asked| asked.contract), column(|asked| asked.division));
        let first = asked.first().context("no updates")?;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&records, &contracts, &divisions, &first.at, &first.by, &first.request_id];
        let rows = self.client.query(&self.statement, &parameters).await.context("updating in PostgreSQL")?;
        ensure!(
            rows.len() == asked.len(),
            "{} of {} contract divisions were updated",
            rows.len(),
            asked.len()
        );
        Ok(())
    }

    /// Each in a statement of its own, all on their way at the same time and in one transaction. What is polled first is sent first.
    async fn pipelined(&self, asked: &[Asked]) -> Result<()> {
        let updates =
            join_all(asked.chunks(IN_ORDER).map(|some| join_all(some.iter().map(|asked| self.one(asked)))));
        let begin = async { self.client.batch_execute("BEGIN").await.context("beginning a transaction") };
        let commit = async { self.client.batch_execute("COMMIT").await.context("committing") };
        let ((), answers, ()) = try_join3(begin, async { anyhow::Ok(updates.await) }, commit).await?;
        answers.into_iter().flatten().collect()
    }
}

/// What one update asks for.
struct Asked {
    record: Id,
    contract: Id,
    division: Id,
    at: SystemTime,
    by: Id,
    request_id: String,
}

impl Asked {
    fn of(work: &UpdateWork, turn: u64) -> Self {
        let Toggle { record, contract, division } = work.toggle(turn);
        Self {
            record: Id(record),
            contract: Id(contract),
            division: Id(division),
            at: SystemTime::now(),
            by: Id(work.user),
            request_id: id(Numbered::Event, turn).to_string(),
        }
    }
}

/// A UUID on its way to PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) Uuid);

impl ToSql for Id {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}
