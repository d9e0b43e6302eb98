//! Checks the services of others that are asked while requests wait.

use anyhow::Result;

use super::Finding;
use crate::compose::{registries, tokens};
use crate::config::{Config, TokenSource};

/// Checks those that the configuration names.
pub(super) async fn findings(config: &Config) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if config.token_source()? != TokenSource::Store {
        findings.push(token_issuer(config).await);
    }
    if !config.remote_registries()?.is_empty() {
        findings.push(registries(config).await);
    }
    Ok(findings)
}

async fn token_issuer(config: &Config) -> Finding {
    let ping = async {
        match tokens::issuer(config)? {
            Some(issuer) => Ok(issuer.ping().await?),
            None => Ok(()),
        }
    };
    let remedy = "check auth.url, auth.client_id, auth.client_secret and auth.root_certificate_file, and that the issuer can be reached from here";
    Finding::new("token issuer", ping.await, remedy)
}

async fn registries(config: &Config) -> Finding {
    let ping = async {
        match registries::service(config)? {
            Some(service) => Ok(service.ping_all().await?),
            None => Ok(()),
        }
    };
    let remedy = "check registries.url, registries.token and registries.root_certificate_file, that the registries can be reached from here, and that each answers 404 in JSON \
        about what it does not have";
    Finding::new("registries", ping.await, remedy)
}
