use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{local, print};
use crate::cli::HealthArgs;
use crate::config::Config;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Asks a running server; prints what it says.
pub(crate) async fn run(config: &Config, args: HealthArgs) -> Result<ExitCode> {
    let base = match args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", local(config.bind()?)),
    };
    let url = format!("{base}/health/{}", if args.live { "live" } else { "ready" });
    let client =
        reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build().context("the HTTP client")?;
    let answer = client.get(&url).send().await.with_context(|| format!("asking {url}"))?;
    let status = answer.status();
    print(answer.text().await.with_context(|| format!("reading the answer of {url}"))?.trim_end())?;
    if status.is_success() { Ok(ExitCode::SUCCESS) } else { bail!("{url} answers {status}") }
}
