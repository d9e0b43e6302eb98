use std::io::stdin;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use esoz_auth::{NewAccessToken, NewApiKey, Scope, Secret, SecretDigest, TokenKind};
use esoz_kernel::system::SystemClock;
use esoz_kernel::{ClientId, Clock as _, UserId};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use zeroize::Zeroizing;

use super::args::{ApiKeyCommand, BlockCommand, TokenCommand};
use super::scope::KnownScopes;
use super::{list_credentials, print};
use crate::compose::stores::Stores;
use crate::config::{Config, TokenSource};

/// The random bytes of a new secret: twice as many as make its digest safe to store.
const SECRET_BYTES: usize = 32;

/// Generates a secret, in base64url: fit for a header, and, since it does not begin with a hyphen like an option, for a command line.
pub(crate) fn generate_secret() -> Result<Secret> {
    loop {
        let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        if !text.starts_with('-') {
            return Ok(Secret::new(text.as_str()));
        }
    }
}

/// Issues a token and stores its digest.
pub(crate) async fn issue_token(
    stores: &Stores,
    user_id: UserId,
    client_id: ClientId,
    scope: Scope,
    ttl: SignedDuration,
) -> Result<Secret> {
    let secret = generate_secret()?;
    let issued_at = SystemClock.now();
    let token = NewAccessToken {
        digest: secret.digest(),
        kind: TokenKind::Access,
        user_id,
        client_id,
        scope,
        expires_at: issued_at.checked_add(ttl).context("`--ttl` is too long")?,
        issued_at,
    };
    stores.credentials.add_token(&token).await.context("storing the token")?;
    Ok(secret)
}

/// Issues an api key and stores its digest.
pub(crate) async fn issue_api_key(stores: &Stores, client: ClientId, scope: Scope) -> Result<Secret> {
    let secret = generate_secret()?;
    let key = NewApiKey { digest: secret.digest(), client_id: client, scope, issued_at: SystemClock.now() };
    stores.credentials.add_api_key(&key).await.context("storing the api key")?;
    Ok(secret)
}

/// Issues, lists or revokes access tokens of our own store.
pub(crate) async fn token(config: &Config, command: TokenCommand) -> Result<()> {
    if config.token_source()? != TokenSource::Store {
        let source = &config.sections.auth.tokens;
        bail!("`auth.tokens` is `{source}`: issue, list and revoke tokens at their issuer, not here");
    }
    let stores = Stores::open(config).await?;
    match command {
        TokenCommand::Issue { user, client, scope, ttl } => {
            let (user, client, ttl) = (UserId::new(user), ClientId::new(client), parse_ttl(&ttl)?);
            let scope = KnownScopes::of_tokens().parse(&scope)?;
            print(issue_token(&stores, user, client, scope, ttl).await?.expose())
        }
        TokenCommand::List { user, client, output } => {
            list_credentials::tokens(&stores, user.map(UserId::new), client.map(ClientId::new), output).await
        }
        TokenCommand::Revoke { token, digest } => {
            let digest = match digest {
                Some(prefix) => {
                    let found = stores.credentials.find_token_digests(&prefix, AMBIGUOUS).await;
                    the_only(&found.context("looking for the token")?, "token")?
                }
                None => presented(token)?,
            };
            let is_known = stores.credentials.revoke_token(&digest, SystemClock.now()).await;
            ensure!(is_known.context("revoking the token")?, unknown("token"));
            print(&format!("the token with the digest {}… is revoked{}", digest.short(), cache_delay(config)))
        }
    }
}

/// Issues, lists or revokes api keys.
pub(crate) async fn api_key(config: &Config, command: ApiKeyCommand) -> Result<()> {
    let stores = Stores::open(config).await?;
    match command {
        ApiKeyCommand::Issue { client, scope } => {
            let scope = KnownScopes::of_api_keys().parse(&scope)?;
            print(issue_api_key(&stores, ClientId::new(client), scope).await?.expose())
        }
        ApiKeyCommand::List { client, output } => {
            list_credentials::api_keys(&stores, client.map(ClientId::new), output).await
        }
        ApiKeyCommand::Revoke { api_key, digest } => {
            let digest = match digest {
                Some(prefix) => {
                    let found = stores.credentials.find_api_key_digests(&prefix, AMBIGUOUS).await;
                    the_only(&found.context("looking for the api key")?, "api key")?
                }
                None => presented(api_key)?,
            };
            let is_known = stores.credentials.revoke_api_key(&digest, SystemClock.now()).await;
            ensure!(is_known.context("revoking the api key")?, unknown("api key"));
            print(&format!(
                "the api key with the digest {}… is revoked{}",
                digest.short(),
                cache_delay(config)
            ))
        }
    }
}

/// Lists users, or blocks or unblocks one and prints what follows.
pub(crate) async fn user(config: &Config, command: BlockCommand) -> Result<()> {
    let credentials = Stores::open(config).await?.credentials;
    let (id, is_blocked) = match command {
        BlockCommand::List { blocked, output } => {
            return list_credentials::users(&*credentials, blocked, output).await;
        }
        BlockCommand::Block { id } => (id, true),
        BlockCommand::Unblock { id } => (id, false),
    };
    let set = credentials.set_user_blocked(UserId::new(id), is_blocked).await;
    set.context("blocking or unblocking the user")?;
    let effect = if is_blocked {
        "is blocked: none of its tokens is valid any more"
    } else {
        "is not blocked: its tokens are valid again, except expired and revoked ones and those of blocked clients"
    };
    print(&format!("user {id} {effect}{}", cache_delay(config)))
}

/// Lists clients, or blocks or unblocks one and prints what follows.
pub(crate) async fn client(config: &Config, command: BlockCommand) -> Result<()> {
    let credentials = Stores::open(config).await?.credentials;
    let (id, is_blocked) = match command {
        BlockCommand::List { blocked, output } => {
            return list_credentials::clients(&*credentials, blocked, output).await;
        }
        BlockCommand::Block { id } => (id, true),
        BlockCommand::Unblock { id } => (id, false),
    };
    let set = credentials.set_client_blocked(ClientId::new(id), is_blocked).await;
    set.context("blocking or unblocking the client")?;
    let effect = if is_blocked {
        "is blocked: none of its tokens and api keys is valid any more"
    } else {
        "is not blocked: its tokens and api keys are valid again, except expired and revoked ones and tokens of blocked users"
    };
    print(&format!("client {id} {effect}{}", cache_delay(config)))
}

/// Within which time running servers apply a block or a revocation; nothing if they have no cache.
fn cache_delay(config: &Config) -> String {
    match config.sections.cache.ttl_ms {
        0 => String::new(),
        ttl_ms => format!("; running servers apply it within {ttl_ms} ms (cache.ttl_ms)"),
    }
}

/// Parses a lifetime such as `30m`, `1h`, `7d`. A day has 24 hours.
fn parse_ttl(text: &str) -> Result<SignedDuration> {
    let ttl = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    ttl.ok().filter(SignedDuration::is_positive).context("`--ttl` must be a duration such as 30m, 1h or 7d")
}

/// The digest of a secret that is given, or read from standard input if the argument is `-`.
fn presented(secret: Option<Secret>) -> Result<SecretDigest> {
    let secret = secret.context("give the secret or --digest")?;
    match secret.expose() {
        "-" => {
            let mut line = Zeroizing::new(String::new());
            stdin().read_line(&mut line).context("reading standard input")?;
            Ok(Secret::new(line.trim()).digest())
        }
        _ => Ok(secret.digest()),
    }
}

/// As many credentials whose digests begin alike as tell that there are several.
const AMBIGUOUS: u32 = 2;

/// The only digest that was found.
fn the_only(found: &[SecretDigest], what: &str) -> Result<SecretDigest> {
    match found {
        [digest] => Ok(*digest),
        [] => bail!(unknown(what)),
        _ => bail!("the digests of several {what}s begin so; nothing was revoked: give more digits"),
    }
}

/// Says that there is no such credential, and how to name one.
fn unknown(what: &str) -> String {
    let command = what.replace(' ', "-");
    format!(
        "there is no such {what}; nothing was revoked. Accepted are the {what} itself, - to read it from standard input, and \
         --digest with the digits that `esoz {command} list` shows"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_read_in_days_hours_and_minutes() {
        for (text, hours) in [("1h", 1), ("7d", 168), ("120m", 2)] {
            assert_eq!(parse_ttl(text).unwrap(), SignedDuration::from_hours(hours), "{text}");
        }
        for text in ["", "1", "-1h", "0s", "soon", "1000000000000000d"] {
            assert!(parse_ttl(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fresh_secret_has_256_bits_and_fits_into_a_header() {
        let secret = generate_secret().unwrap();
        assert_eq!(secret.expose().len(), 43);
        assert!(secret.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(generate_secret().unwrap().digest() != secret.digest());
    }

    #[test]
    fn a_secret_can_be_an_argument_of_a_command() {
        // Without the check one in 64 would begin so.
        for _ in 0..2_000 {
            assert!(!generate_secret().unwrap().expose().starts_with('-'));
        }
    }
}
