//! What is shown of a URL that may hold a password.

use esoz_kernel::SecretString;

/// What the name of a parameter contains if its value may be a secret.
const SECRET: [&str; 4] = ["pass", "secret", "token", "mechanismproperties"];

/// Shows a URL with its password masked, and the values of parameters that may be secrets. What is not surely a URL is masked whole.
pub(super) fn masked_url(url: &SecretString) -> String {
    parts(url.expose()).unwrap_or_else(|| url.masked().to_owned())
}

fn parts(url: &str) -> Option<String> {
    let mask = SecretString::new("-").masked();
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    // The password may have an unescaped `/`, `?` or `#`: the authority is ambiguous.
    if rest.contains('@') || rest.contains('#') {
        return None;
    }
    let authority = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((user, hosts)) => match user.split_once(':') {
            None => authority.to_owned(),
            Some((user, _)) => format!("{user}:{mask}@{hosts}"),
        },
    };
    let Some((path, query)) = rest.split_once('?') else {
        return Some(format!("{scheme}://{authority}{rest}"));
    };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, value)) if !may_be_secret(name) => format!("{name}={value}"),
        Some((name, _)) => format!("{name}={mask}"),
        None => mask.to_owned(),
    });
    Some(format!("{scheme}://{authority}{path}?{}", parameters.collect::<Vec<_>>().join("&")))
}

/// A name with an encoded character could be any.
fn may_be_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains('%') || SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_but_passwords() {
        for (url, shown) in [
            ("", ""),
            ("postgres://db.example/esoz", "postgres://db.example/esoz"),
            ("postgres://esoz@db.example:5432/esoz", "postgres://esoz@db.example:5432/esoz"),
            (
                "postgres://esoz:canary@db.example/esoz?sslmode=verify-full",
                "postgres://esoz:…@db.example/esoz?sslmode=verify-full",
            ),
            ("postgres://esoz:can@ary:canary@db.example", "postgres://esoz:…@db.example"),
            ("postgres://:canary@db.example", "postgres://:…@db.example"),
            (
                "postgres:///esoz?host=/run/postgresql&user=esoz&password=canary&PASSWORD=canary&%70assword=canary",
                "postgres:///esoz?host=/run/postgresql&user=esoz&password=…&PASSWORD=…&%70assword=…",
            ),
            (
                "mongodb+srv://esoz:canary@a.example,b.example:27018/?replicaSet=rs&tlsCertificateKeyFilePassword=canary",
                "mongodb+srv://esoz:…@a.example,b.example:27018/?replicaSet=rs&tlsCertificateKeyFilePassword=…",
            ),
            (
                "mongodb://db.example/?authMechanismProperties=AWS_SESSION_TOKEN:canary&canary",
                "mongodb://db.example/?authMechanismProperties=…&…",
            ),
        ] {
            assert_eq!(masked_url(&SecretString::new(url)), shown);
        }
    }

    #[test]
    fn what_is_not_surely_a_url_is_masked_whole() {
        for text in [
            "host=db.example password=canary",
            "canary",
            "postgres://esoz:can/ary@db.example/esoz",
            "postgres://esoz:can?ary@db.example/esoz",
            "postgres://esoz:can#ary@db.example/esoz",
            "postgres://db.example/esoz#canary",
        ] {
            assert_eq!(masked_url(&SecretString::new(text)), "…", "{text}");
        }
    }
}
