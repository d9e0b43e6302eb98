//! The pool: opens connections when they are needed and hands out none that is broken.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use diesel_async::SimpleAsyncConnection;
use tokio::time::timeout;
use tokio_postgres::Config;

use crate::connect::{Connection, open_for_service};
use crate::error::Failure;

pub(crate) type Pool = managed::Pool<Manager>;

/// Opens and checks the connections of the service.
pub(crate) struct Manager {
    pub(crate) config: Config,
    pub(crate) session: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) answer_timeout: Duration,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        timeout(self.connect_timeout, open_for_service(&self.config, &self.session, self.answer_timeout))
            .await
            .unwrap_or_else(|_| {
                Err(Failure::unavailable("the server did not let us in within connect_timeout_ms"))
            })
    }

    /// Asks the server for an answer before a connection is handed out again, so that a call does not fail for a server that went
    /// away, or came back, meanwhile. A connection that is refused here is closed, and another one is tried or opened.
    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.is_busy {
            return Err(RecycleError::message("the last caller left while its statement was under way"));
        }
        if connection.wire.has_ended() {
            return Err(RecycleError::message("the server has hung up"));
        }
        let answer = timeout(self.connect_timeout, connection.db.batch_execute("")).await;
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(RecycleError::Backend(Failure::of_query(error, connection.wire.take_sql_state())))
            }
            Err(_) => Err(RecycleError::message("the server does not answer")),
        }
    }
}
