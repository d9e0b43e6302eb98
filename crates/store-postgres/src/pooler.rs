//! Refuses a connection pooler that gives each transaction another session of the server, such as PgBouncer with `pool_mode = transaction`.
//!
//! A statement could run in the session of another program, with its role and time limits; and other programs in ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use esoz_kernel::StoreErrorKind;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::connection::connect;
use crate::endpoint::EndpointSource;
use crate::error::Failure;
use crate::sqlstate::SqlstateMonitor;

/// Why it is refused, and what to do.
const POOLED: &str = "a connection pooler gives each transaction another session (PgBouncer: pool_mode = transaction): connect to PostgreSQL \
     directly, or let the pooler keep a session for each connection (pool_mode = session)";

/// How often it is tried: another client of the pooler may take the marked session at the moment at which it shall be occupied, and give it back.
const ROUNDS: u32 = 3;
/// Occupies the session that was used last.
const OCCUPY: &str = "BEGIN";
const LEAVE: &str = "ROLLBACK";

/// A setting that means nothing to anybody else, with a value of its own: a session keeps its mark when a pooler gives it to others.
struct Mark(String);

impl Mark {
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self(format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)))
    }

    /// Marks a session.
    fn set(&self) -> String {
        format!("SET esoz.session = '{}'", self.0)
    }

    /// Fails in a session that is not marked so.
    fn require(&self) -> String {
        format!(
            "DO $$ BEGIN
                IF current_setting('esoz.session', true) IS DISTINCT FROM '{}' THEN RAISE EXCEPTION 'another session'; END IF;
            END $$",
            self.0
        )
    }
}

/// Whether each connection has a session of the server to itself. Opens two connections for it, in turn, and sets nothing that somebody else would notice.
///
/// # Errors
/// [`Failure`] when it has not; or when the server cannot be reached within the time limit of each step.
pub(crate) async fn require_sessions(
    endpoint: &Arc<EndpointSource>,
    within: Duration,
) -> Result<(), Failure> {
    let open = || async { timeout(within, connect(endpoint.clone())).await.map_err(late)? };
    let ((mut marked, monitor), (mut other, other_monitor)) = (open().await?, open().await?);
    for _ in 0..ROUNDS {
        let mark = Mark::new();
        run(&mut marked, &monitor, within, &mark.set()).await?;
        run(&mut other, &other_monitor, within, OCCUPY).await?;
        require_mark(&mut marked, &monitor, within, &mark).await?;
        run(&mut other, &other_monitor, within, LEAVE).await?;
    }
    Ok(())
}

/// Refuses a session that is not marked. Any other failure is what it is: the connection may be lost at this moment.
async fn require_mark(
    db: &mut AsyncPgConnection,
    monitor: &SqlstateMonitor,
    within: Duration,
    mark: &Mark,
) -> Result<(), Failure> {
    run(db, monitor, within, &mark.require()).await.map_err(|failure| {
        let is_pooled = failure.is(&SqlState::RAISE_EXCEPTION);
        if is_pooled { Failure::new(StoreErrorKind::Unexpected, None, POOLED) } else { failure }
    })
}

async fn run(
    db: &mut AsyncPgConnection,
    monitor: &SqlstateMonitor,
    within: Duration,
    sql: &str,
) -> Result<(), Failure> {
    let ran = timeout(within, db.batch_execute(sql)).await.map_err(late)?;
    ran.map_err(|error| Failure::of_query(error, monitor.take_sql_state()))
}

fn late(_: Elapsed) -> Failure {
    Failure::unavailable("the server did not respond in time")
}

#[cfg(test)]
mod tests {
    use esoz_test_servers::shared;

    use super::*;
    use crate::PostgresSettings;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_a_session_without_the_mark_is_called_pooled_and_a_lost_one_is_an_outage() {
        let server = shared::postgres();
        let url = server.create_database().unwrap();
        let endpoint = Arc::new(PostgresSettings::new(&url).endpoint().unwrap());
        let within = Duration::from_secs(10);
        let (mut db, monitor) = connect(endpoint).await.unwrap();
        let mark = Mark::new();
        let refused = require_mark(&mut db, &monitor, within, &mark).await.unwrap_err().during("testing");
        assert_eq!(refused.kind(), StoreErrorKind::Unexpected);
        assert!(refused.with_causes().contains("pool_mode = session"), "{}", refused.with_causes());

        run(&mut db, &monitor, within, &mark.set()).await.unwrap();
        require_mark(&mut db, &monitor, within, &mark).await.unwrap();
        let kill = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        assert_eq!(server.query_in(&url, kill).unwrap(), "t");
        let lost = require_mark(&mut db, &monitor, within, &mark).await.unwrap_err().during("testing");
        assert_eq!(lost.kind(), StoreErrorKind::Unavailable, "{}", lost.with_causes());
    }
}
