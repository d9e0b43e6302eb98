use std::io::stdin;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use esoz_auth::{NewAccessToken, NewApiKey, Scope, Secret, TokenKind};
use esoz_kernel::system::SystemClock;
use esoz_kernel::{ClientId, Clock as _, UserId};
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::args::{ApiKeyCommand, BlockCommand, TokenCommand};
use super::print;
use crate::compose::stores::Stores;
use crate::config::{Config, TokenSource};

/// Random bytes of a fresh secret: twice what makes its digest safe to store.
const SECRET_BYTES: usize = 32;

/// A fresh secret, as text that fits into a header, and on a command line: it does not begin with a hyphen, as an option would.
pub(crate) fn fresh_secret() -> Result<Secret> {
    loop {
        let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        if !text.starts_with('-') {
            return Ok(Secret::new(text.as_str()));
        }
    }
}

/// A token to issue.
pub(crate) struct TokenOrder<'a> {
    pub(crate) user: UserId,
    pub(crate) client: ClientId,
    pub(crate) scope: &'a str,
    pub(crate) ttl: SignedDuration,
}

/// Issues a token and stores its digest.
pub(crate) async fn issue_token(stores: &Stores, order: TokenOrder<'_>) -> Result<Secret> {
    let secret = fresh_secret()?;
    let issued_at = SystemClock.now();
    let token = NewAccessToken {
        digest: secret.digest(),
        kind: TokenKind::Access,
        user_id: order.user,
        client_id: order.client,
        scope: scope(order.scope)?,
        expires_at: issued_at.checked_add(order.ttl).context("`--ttl` is too long")?,
        issued_at,
    };
    stores.credentials.add_token(&token).await.context("storing the token")?;
    Ok(secret)
}

/// Issues an api key and stores its digest.
pub(crate) async fn issue_api_key(stores: &Stores, client: ClientId, scope: &str) -> Result<Secret> {
    let scope = self::scope(scope)?;
    let secret = fresh_secret()?;
    let key = NewApiKey { digest: secret.digest(), client_id: client, scope, issued_at: SystemClock.now() };
    stores.credentials.add_api_key(&key).await.context("storing the api key")?;
    Ok(secret)
}

pub(crate) async fn token(config: &Config, command: TokenCommand) -> Result<ExitCode> {
    if config.token_source()? != TokenSource::Store {
        bail!(
            "`auth.tokens` is `{}`: tokens are issued and revoked there, not here",
            config.sections.auth.tokens
        );
    }
    let stores = Stores::open(config).await?;
    match command {
        TokenCommand::Issue { user, client, scope, ttl } => {
            let ttl = duration(&ttl)?;
            let (user, client) = (UserId::new(user), ClientId::new(client));
            let secret = issue_token(&stores, TokenOrder { user, client, scope: &scope, ttl }).await?;
            print(secret.expose())?;
        }
        TokenCommand::Revoke { token } => {
            let digest = given(token)?.digest();
            let known = stores
                .credentials
                .revoke_token(&digest, SystemClock.now())
                .await
                .context("revoking the token")?;
            if !known {
                bail!("there is no such token; nothing was revoked");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn api_key(config: &Config, command: ApiKeyCommand) -> Result<ExitCode> {
    let stores = Stores::open(config).await?;
    match command {
        ApiKeyCommand::Issue { client, scope } => {
            print(issue_api_key(&stores, ClientId::new(client), &scope).await?.expose())?;
        }
        ApiKeyCommand::Revoke { api_key } => {
            let digest = given(api_key)?.digest();
            let known = stores.credentials.revoke_api_key(&digest, SystemClock.now()).await;
            if !known.context("revoking the api key")? {
                bail!("there is no such api key; nothing was revoked");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn user(config: &Config, command: BlockCommand) -> Result<ExitCode> {
    let (id, blocked) = blocking(&command);
    let stores = Stores::open(config).await?;
    stores.credentials.set_user_blocked(UserId::new(id), blocked).await.context("blocking the user")?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn client(config: &Config, command: BlockCommand) -> Result<ExitCode> {
    let (id, blocked) = blocking(&command);
    let stores = Stores::open(config).await?;
    stores.credentials.set_client_blocked(ClientId::new(id), blocked).await.context("blocking the client")?;
    Ok(ExitCode::SUCCESS)
}

fn blocking(command: &BlockCommand) -> (uuid::Uuid, bool) {
    match command {
        BlockCommand::Block { id } => (*id, true),
        BlockCommand::Unblock { id } => (*id, false),
    }
}

/// The scope of a new credential. A tab or a line feed between two allowances would make a credential that grants neither.
fn scope(text: &str) -> Result<Scope> {
    if !Scope::is_well_formed(text) {
        bail!("`--scope` must be allowances like device_dispense:stop with a space (U+0020) between them");
    }
    Ok(Scope::parse(text))
}

/// A lifetime such as `30m`, `1h`, `7d`. A day has 24 hours.
fn duration(text: &str) -> Result<SignedDuration> {
    let in_hours = match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => format!("{}h", u64::from(days) * 24),
        Some(Err(_)) | None => text.to_owned(),
    };
    match in_hours.parse::<SignedDuration>() {
        Ok(ttl) if ttl.is_positive() => Ok(ttl),
        Ok(_) | Err(_) => bail!("`--ttl` must be a duration such as 30m, 1h or 7d"),
    }
}

/// A secret from the command line or, for `-`, from standard input.
fn given(secret: Secret) -> Result<Secret> {
    match secret.expose() {
        "-" => {
            let mut line = Zeroizing::new(String::new());
            stdin().read_line(&mut line).context("reading standard input")?;
            Ok(Secret::new(line.trim()))
        }
        _ => Ok(secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_read_in_days_hours_and_minutes() {
        for (text, hours) in [("1h", 1), ("7d", 168), ("120m", 2)] {
            assert_eq!(duration(text).unwrap(), SignedDuration::from_hours(hours), "{text}");
        }
        for text in ["", "1", "-1h", "0s", "soon", "1000000000000000d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_that_would_grant_less_than_it_seems_to_is_refused() {
        assert!(scope("a:read  b:write").unwrap().allows("b:write"));
        for text in [
            "a:read\tb:write",
            "a:read\nb:write",
            "a:read\n",
            "a:read\u{a0}b:write",
            "a:read\u{2003}b:write",
            "\u{85}a:read",
        ] {
            assert!(scope(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_fresh_secret_has_256_bits_and_fits_into_a_header() {
        let secret = fresh_secret().unwrap();
        assert_eq!(secret.expose().len(), 43);
        assert!(secret.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(fresh_secret().unwrap().digest() != secret.digest());
    }

    #[test]
    fn a_secret_can_be_an_argument_of_a_command() {
        // One in 64 would begin so.
        for _ in 0..2_000 {
            assert!(!fresh_secret().unwrap().expose().starts_with('-'));
        }
    }
}
