use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use esoz_https::{HttpsClient, Proxies, connector};
use esoz_tls::{ClientTls, Verification};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::args::HealthArgs;
use super::{loopback, print};
use crate::config::Config;

/// The time limit of the request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The size limit of the answer.
const MAX_BODY_BYTES: usize = 65_536;

/// Asks a running server for its health, and prints the answer. Fails unless its status is a success.
pub(crate) async fn run(config: &Config, args: HealthArgs) -> Result<()> {
    let (base, client) = match args.url {
        Some(url) => (url.trim_end_matches('/').to_owned(), esoz_https::client(None, &config.proxies, 1)?),
        None => (local_url(config)?, local_client()?),
    };
    ensure!(
        base.starts_with("http://") || base.starts_with("https://"),
        "--url must begin with http:// or https://"
    );
    let url = format!("{base}/health/{}", if args.live { "live" } else { "ready" });
    let (status, body) = ask(&client, &url).await?;
    print(String::from_utf8_lossy(&body).trim_end())?;
    if status.is_success() { Ok(()) } else { bail!("{url} answers {status}") }
}

/// Whether a server of ours runs at the configured address.
pub(crate) async fn is_running(config: &Config) -> bool {
    let answer = async { ask(&local_client()?, &format!("{}/health/live", local_url(config)?)).await };
    let told = answer.await.ok().and_then(|(_, body)| serde_json::from_slice(&body).ok());
    told.is_some_and(|told: serde_json::Value| told.pointer("/data/live") == Some(&true.into()))
}

fn local_url(config: &Config) -> Result<String> {
    let scheme = if config.tls_files()?.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", loopback(config.bind()?.address()?)))
}

async fn ask(client: &HttpsClient<Empty<Bytes>>, url: &str) -> Result<(StatusCode, Bytes)> {
    let request = async {
        let answer = client.get(url.parse()?).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await;
        anyhow::Ok((status, body.map_err(anyhow::Error::from_boxed)?.to_bytes()))
    };
    tokio::time::timeout(TIMEOUT, request)
        .await
        .with_context(|| format!("no answer within {TIMEOUT:?}"))
        .flatten()
        .with_context(|| format!("asking {url}"))
}

/// A client that accepts any certificate: that of the server on this machine is issued for another name, and may be newer or older than
/// the one in the files. Nothing secret is exchanged, and a process that can listen here could as well answer without TLS.
fn local_client() -> Result<HttpsClient<Empty<Bytes>>> {
    let tls = ClientTls::default().config(Verification::None)?;
    Ok(Client::builder(TokioExecutor::new()).build(connector(tls, &Proxies::default())))
}
