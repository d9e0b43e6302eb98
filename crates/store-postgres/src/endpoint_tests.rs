use std::path::PathBuf;

use esoz_kernel::SecretString;
use esoz_tls::CertificateFiles;

use super::*;

const URL: &str = "postgres://me:canary@db.example/esoz";

fn source(url: &str, tls: ClientTls) -> EndpointSource {
    let url = SecretSource::Inline(SecretString::new(url));
    EndpointSource::new(url, tls, "esoz", Duration::from_secs(2))
}

fn endpoint(url: &str) -> Result<Endpoint, StoreError> {
    source(url, ClientTls::default()).read()
}

fn refusal(url: &str, tls: ClientTls) -> String {
    source(url, tls).read().err().unwrap().to_string()
}

fn roots() -> ClientTls {
    ClientTls { root_certificate_file: Some(PathBuf::from("/no/such/roots.pem")), certificate: None }
}

#[test]
fn the_password_is_in_no_error() {
    let error = endpoint("postgres://me:canary@db.example:port/esoz").err().unwrap();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert!(cause.is_some());
    assert!(!format!("{error} {error:?} {cause:?}").contains("canary"));
}

#[test]
fn another_machine_proves_who_it_is_unless_the_url_says_otherwise() {
    for (url, expected) in [
        (URL, Transport::Verified),
        ("postgres://db.example,localhost/esoz", Transport::Verified),
        ("postgres://localhost/esoz?hostaddr=10.0.0.1", Transport::Verified),
        ("host=db.example dbname=esoz", Transport::Verified),
        ("postgres://db.example/esoz?connect_timeout=1&sslmode=verify-full", Transport::Verified),
        ("postgres://localhost/esoz", Transport::Local),
        ("postgres://127.0.0.1:1,[::1]:2/esoz", Transport::Local),
        ("postgres://db.example/esoz?hostaddr=127.0.0.1", Transport::Local),
        ("postgres://%2Frun/esoz", Transport::Local),
        ("postgres://localhost/esoz?sslmode=disable", Transport::Local),
    ] {
        assert_eq!(endpoint(url).unwrap().transport, expected, "{url}");
    }
    for mode in ["disable", "prefer", "require", "verify-ca"] {
        for url in [format!("{URL}?a=b&sslmode={mode}"), format!("host=db.example sslmode={mode} user=me")] {
            let url = url.replace("a=b", "keepalives=1");
            let Transport::Weak(why) = endpoint(&url).unwrap().transport else { panic!("{url}") };
            assert!(why.starts_with(&format!("sslmode={mode}: ")), "{why}");
        }
    }
    let refused = refusal(&format!("{URL}?sslmode=canary"), ClientTls::default());
    assert!(
        refused.ends_with("must be one of disable, prefer, require, verify-ca, verify-full"),
        "{refused}"
    );
}

#[test]
fn a_mode_is_taken_out_of_the_url_and_nothing_else() {
    for (url, rest, mode) in [
        ("postgres://h/d?sslmode=a", "postgres://h/d?", Some("a")),
        ("postgres://h/d?x=1&sslmode=a&y=sslmode", "postgres://h/d?x=1&y=sslmode", Some("a")),
        ("postgres://u:p?sslmode=x@h/d", "postgres://u:p?sslmode=x@h/d", None),
        ("postgres://u:p?q@h/d?sslmode=a", "postgres://u:p?q@h/d?", Some("a")),
        ("postgres://h/sslmode=a", "postgres://h/sslmode=a", None),
        ("postgres://h/d?user=a@b&sslmode=a", "postgres://h/d?user=a@b", Some("a")),
        ("postgres://h?sslmode=a", "postgres://h?", Some("a")),
        ("host=h sslmode=a user=u", "host=h user=u", Some("a")),
    ] {
        assert_eq!(without_ssl_mode(url), (rest.to_owned(), mode.map(str::to_owned)), "{url}");
    }
}

#[test]
fn plain_connections_are_those_that_the_url_asks_for() {
    let tls = |url: &str| endpoint(url).unwrap().tls.map(|tls| (tls.is_optional, tls.is_direct));
    assert_eq!(tls(URL), Some((false, false)));
    assert_eq!(tls(&format!("{URL}?sslnegotiation=direct")), Some((false, true)));
    assert_eq!(tls(&format!("{URL}?sslmode=prefer")), Some((true, false)));
    assert_eq!(tls("postgres://localhost/esoz"), Some((true, false)));
    assert_eq!(tls(&format!("{URL}?sslmode=disable")), None);
    assert_eq!(tls("postgres://%2Frun/esoz"), None);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let certificate = ClientTls {
        root_certificate_file: None,
        certificate: Some(CertificateFiles::new("/no/such/certificate.pem", "/no/such/key.pem")),
    };
    for (url, tls, expected) in [
        ("?sslmode=prefer", roots(), "checks no certificate"),
        ("?sslmode=disable", roots(), "checks no certificate"),
        ("?sslmode=disable", certificate.clone(), "a client certificate is set"),
        ("?sslmode=prefer&sslnegotiation=direct", ClientTls::default(), "needs sslmode=require"),
        ("?sslrootcert=/a", ClientTls::default(), "name the file in root_certificate_file"),
        ("?x=1&sslcert=/a", ClientTls::default(), "name the file in client_certificate_file"),
        ("?sslkey=/a", ClientTls::default(), "name the file in client_private_key_file"),
        ("", roots(), "/no/such/roots.pem cannot be read"),
        ("?sslmode=require", roots(), "/no/such/roots.pem cannot be read"),
        ("", certificate, "/no/such/certificate.pem cannot be read"),
    ] {
        let refused = refusal(&format!("{URL}{url}"), tls);
        assert!(refused.contains(expected) && !refused.contains("canary"), "{url}: {refused}");
    }
}

#[test]
fn a_url_in_a_file_is_read_again_and_the_last_good_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    let url = SecretSource::File(path.clone());
    let source = EndpointSource::new(url, ClientTls::default(), "esoz", Duration::from_secs(2));
    let user = || source.read().unwrap().config.get_user().map(str::to_owned);
    assert!(source.read().is_err());
    for (content, expected) in
        [("postgres://one@localhost/d\n", "one"), ("postgres://two@localhost/d", "two"), ("nonsense", "two")]
    {
        std::fs::write(&path, content).unwrap();
        assert_eq!(user().as_deref(), Some(expected));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(user().as_deref(), Some("two"));
}

#[test]
fn hosts_that_cannot_be_reached_are_refused() {
    for url in ["postgres:///esoz", "postgres://%2Frun,db.example/esoz", "postgres://?hostaddr=127.0.0.1"] {
        assert!(refusal(url, ClientTls::default()).contains("hosts"), "{url}");
    }
    for url in ["postgres://%2Frun/esoz", "postgres://a.example:1,b.example:2/esoz", "postgres://[::1]/esoz"]
    {
        assert!(endpoint(url).is_ok(), "{url}");
    }
}

#[test]
fn a_dead_network_is_noticed_unless_the_url_says_otherwise() {
    let config = endpoint(URL).unwrap().config;
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(10)));
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(10));
    let own = endpoint(&format!("{URL}?keepalives_idle=61&tcp_user_timeout=5")).unwrap().config;
    assert_eq!(own.get_tcp_user_timeout(), Some(&Duration::from_secs(5)));
    assert_eq!(own.get_keepalives_idle(), Duration::from_secs(61));
    // What it does not say stays.
    assert_eq!(own.get_keepalives_interval(), Some(Duration::from_secs(3)));
    assert_eq!(own.get_keepalives_retries(), Some(3));
    let own = endpoint(&format!("{URL}?keepalives_retries=9")).unwrap().config;
    assert_eq!((own.get_keepalives_idle(), own.get_keepalives_retries()), (Duration::from_secs(10), Some(9)));
    assert!(!endpoint(&format!("{URL}?keepalives=0")).unwrap().config.get_keepalives());
}
