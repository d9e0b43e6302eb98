//! Where a PostgreSQL server is, and databases of a test's own on it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    env, error::ServerError, find::run, object_store_http::percent_decoded, origin::Origin,
    postgres_programs::find_psql, postgres_tls::OverTls,
};

/// The address of a PostgreSQL server, with the rights to make databases on it.
#[derive(Debug, Clone)]
pub struct PostgresAddress {
    url: String,
    psql: PathBuf,
    version: String,
    origin: Origin,
    /// The folder with its certificates, if it takes the user `esoz_tls`.
    tls_dir: Option<PathBuf>,
}

impl PostgresAddress {
    /// The address of a server that answers.
    pub(super) fn of(url: String, programs: Option<&Path>, origin: Origin) -> Result<Self, ServerError> {
        let psql = find_psql(programs)?;
        let mut address = Self { url, psql, version: String::new(), origin, tls_dir: None };
        address.version = address.query("show server_version")?;
        Ok(address)
    }

    /// The server named in the environment, if one is. One that does not answer is an error: a test run that was told
    /// of a server must not quietly use another.
    pub(super) fn from_environment() -> Result<Option<Self>, ServerError> {
        let Some(url) = env::variable(env::POSTGRES_URL) else { return Ok(None) };
        let address = Self::of(url, None, Origin::Environment(env::POSTGRES_URL)).map_err(|error| {
            ServerError::new(format!("the server in {} cannot be used: {error}", env::POSTGRES_URL))
        })?;
        Ok(Some(Self { tls_dir: env::variable(env::POSTGRES_TLS_DIR).map(PathBuf::from), ..address }))
    }

    /// The same server, which takes the user `esoz_tls` by the certificates in that folder.
    pub(super) fn with_tls(self, dir: PathBuf) -> Self {
        Self { tls_dir: Some(dir), ..self }
    }

    /// The folder with its certificates, if it takes the user `esoz_tls`.
    pub fn tls_dir(&self) -> Option<&Path> {
        self.tls_dir.as_deref()
    }

    /// How the user `esoz_tls`, another superuser, reaches the database with this URL: by TLS and a certificate alone. None on somebody's own server.
    pub fn over_tls(&self, url: &str) -> Option<OverTls> {
        let (_, place) = url.split_once('@')?;
        Some(OverTls::new(self.tls_dir()?, place))
    }

    /// The URL of the server's administrative database, under a user who may make databases.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's version, as it says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the server came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Makes an empty database with a random name and gives its URL. It lives as long as the server, unless
    /// [`drop_database`](Self::drop_database) is called.
    pub fn create_database(&self) -> Result<String, ServerError> {
        let name = format!("esoz_test_{}", random_hex());
        // template0: nobody is ever connected to it, so that many tests can make databases at once.
        self.query(&format!("create database {name} template template0 encoding 'UTF8'"))?;
        with_database(&self.url, &name)
    }

    /// Drops a database that [`create_database`](Self::create_database) made, whoever is connected to it.
    pub fn drop_database(&self, url: &str) -> Result<(), ServerError> {
        let name =
            database(url).ok_or_else(|| ServerError::new("a PostgreSQL URL without a database name"))?;
        if !name.starts_with("esoz_test_") {
            return Err(ServerError::new(format!("{name} is no test's database, so it is not dropped")));
        }
        self.query(&format!("drop database if exists {name} with (force)")).map(drop)
    }

    /// Runs one statement in the administrative database, through `psql`; gives rows as lines, columns split by `|`.
    pub fn query(&self, sql: &str) -> Result<String, ServerError> {
        self.query_in(&self.url, sql)
    }

    /// Runs one statement in the database with this URL, as [`query`](Self::query).
    pub fn query_in(&self, url: &str, sql: &str) -> Result<String, ServerError> {
        // By the environment, not by an argument: the URL of somebody's own server may hold a password, and the
        // arguments go into errors.
        let arguments = ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql];
        let mut command = Command::new(&self.psql);
        command.args(arguments).env("PGCONNECT_TIMEOUT", "10").env("PGAPPNAME", "esoz-test-servers");
        let connection = Connection::parse(url)?;
        command.envs(connection.variables);
        run(&mut command).map(|rows| rows.trim_end().to_owned())
    }
}

/// A connection as libpq's environment variables.
struct Connection {
    variables: Vec<(&'static str, OsString)>,
}

impl Connection {
    fn parse(url: &str) -> Result<Self, ServerError> {
        let bad = |what: &str| {
            ServerError::new(format!("a PostgreSQL URL is wanted, postgres://user@host:port/db: {what}"))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("no scheme"))?;
        if !["postgres", "postgresql"].contains(&scheme) {
            return Err(bad("another scheme"));
        }
        let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = before.split_once('/').unwrap_or((before, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.rsplit_once(':') {
            // The colons inside an IPv6 address in brackets are not the port's.
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (place, ""),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut variables = Vec::new();
        for (name, value) in [
            ("PGHOST", host),
            ("PGPORT", port),
            ("PGUSER", user),
            ("PGPASSWORD", password),
            ("PGDATABASE", database),
        ] {
            if !value.is_empty() {
                variables
                    .push((name, OsString::from(percent_decoded(value).ok_or_else(|| bad("a broken %"))?)));
            }
        }
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').ok_or_else(|| bad("a parameter without value"))?;
            let name = match key {
                "sslmode" => "PGSSLMODE",
                "sslrootcert" => "PGSSLROOTCERT",
                "host" => "PGHOST",
                "options" => "PGOPTIONS",
                // Of no meaning for the few statements sent here.
                _ => continue,
            };
            variables.push((name, OsString::from(percent_decoded(value).ok_or_else(|| bad("a broken %"))?)));
        }
        Ok(Self { variables })
    }
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> Result<String, ServerError> {
    let (before, parameters) = match url.split_once('?') {
        Some((before, parameters)) => (before, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let (scheme, rest) =
        before.split_once("://").ok_or_else(|| ServerError::new("a PostgreSQL URL without scheme"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{parameters}"))
}

/// The database that a URL names.
fn database(url: &str) -> Option<&str> {
    let (_, rest) = url.split('?').next()?.split_once("://")?;
    rest.split_once('/').map(|(_, name)| name).filter(|name| !name.is_empty())
}

/// 24 hex digits that no other database has.
fn random_hex() -> String {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:08x}", half(), half() & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Vec<(&'static str, String)> {
        let connection = Connection::parse(url).unwrap();
        connection.variables.into_iter().map(|(k, v)| (k, v.into_string().unwrap())).collect()
    }

    #[test]
    fn urls_become_variables() {
        assert_eq!(
            parsed("postgres://me:p%40ss@db.example:5433/app?sslmode=require&application_name=x"),
            [
                ("PGHOST", "db.example"),
                ("PGPORT", "5433"),
                ("PGUSER", "me"),
                ("PGPASSWORD", "p@ss"),
                ("PGDATABASE", "app"),
                ("PGSSLMODE", "require"),
            ]
            .map(|(k, v)| (k, v.to_owned()))
        );
        assert_eq!(
            parsed("postgresql://[::1]:5433/"),
            [("PGHOST", "::1"), ("PGPORT", "5433")].map(|(k, v)| (k, v.to_owned()))
        );
        assert!(Connection::parse("mysql://x").is_err());
    }

    #[test]
    fn a_url_gets_another_database() {
        let url = "postgres://me@h:1/old?sslmode=disable";
        assert_eq!(with_database(url, "new").unwrap(), "postgres://me@h:1/new?sslmode=disable");
        assert_eq!(with_database("postgres://me@h:1", "new").unwrap(), "postgres://me@h:1/new");
        assert_eq!(database(url), Some("old"));
        assert_eq!(database("postgres://me@h:1"), None);
    }
}
