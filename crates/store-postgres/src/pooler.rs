//! Refuses a connection pooler that gives each transaction another session of the server, such as PgBouncer with `pool_mode = transaction`.
//!
//! A statement could run in the session of another program, with its role and time limits; and other programs in ours.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection as _;
use esoz_kernel::StoreErrorKind;
use tokio::time::timeout;

use crate::connection::connect;
use crate::endpoint::EndpointSource;
use crate::error::Failure;

/// Why it is refused, and what to do.
const POOLED: &str = "a connection pooler gives each transaction another session (PgBouncer: pool_mode = transaction): connect to PostgreSQL \
     directly, or let the pooler keep a session for each connection (pool_mode = session)";

/// Marks a session by a setting that means nothing to anybody else.
const MARK: &str = "SET esoz.session = 'marked'";
/// Occupies the session that was used last.
const OCCUPY: &str = "BEGIN";
/// Fails in a session that is not marked.
const REQUIRE_MARK: &str = "DO $$ BEGIN
    IF current_setting('esoz.session', true) IS DISTINCT FROM 'marked' THEN RAISE EXCEPTION 'another session'; END IF;
END $$";

/// Whether each connection has a session of the server to itself. Opens two connections for it, in turn, and sets nothing that somebody else would notice.
///
/// # Errors
/// [`Failure`] when it has not; or when the server cannot be reached within the time limit of each step.
pub(crate) async fn require_sessions(
    endpoint: &Arc<EndpointSource>,
    within: Duration,
) -> Result<(), Failure> {
    let late = |_| Failure::unavailable("the server did not respond in time");
    let open = || async { timeout(within, connect(endpoint.clone())).await.map_err(late)? };
    let ((mut marked, monitor), (mut other, _)) = (open().await?, open().await?);
    let run = async |db: &mut diesel_async::AsyncPgConnection, sql| {
        timeout(within, db.batch_execute(sql)).await.map_err(late)
    };
    let failed = |error| Failure::of_query(error, monitor.take_sql_state());
    run(&mut marked, MARK).await?.map_err(failed)?;
    run(&mut other, OCCUPY).await?.map_err(failed)?;
    run(&mut marked, REQUIRE_MARK).await?.map_err(|_| Failure::new(StoreErrorKind::Unexpected, None, POOLED))
}
