//! What `token`, `api-key`, `user` and `client` print.

use esoz_auth::Secret;
use esoz_testkit::builders::fresh;
use esoz_tests::process::esoz;
use esoz_tests::{Kind, TestStores, on_every_store};
use serde_json::{Value, json};

use crate::{environment, with};

type Variables = [(String, String)];

fn issue_token(variables: &Variables, user: &str, client: &str) -> Secret {
    let arguments =
        ["token", "issue", "--user", user, "--client", client, "--scope", "device_dispense:stop event:read"];
    Secret::new(esoz(variables, &arguments).assert_success().stdout.trim_end())
}

fn issue_api_key(variables: &Variables, client: &str) -> Secret {
    let arguments = ["api-key", "issue", "--client", client, "--scope", "private_contracts:write"];
    Secret::new(esoz(variables, &arguments).assert_success().stdout.trim_end())
}

/// What a command lists as JSON: an object a line.
fn listed(variables: &Variables, arguments: &[&str]) -> Vec<Value> {
    let output = esoz(variables, &[arguments, &["--json"]].concat());
    output.assert_success().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

on_every_store! {
    async fn credentials_are_listed_with_their_state_and_without_the_secret(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        esoz(&variables, &["migrate"]).assert_success();
        for command in ["token", "api-key"] {
            assert_eq!(esoz(&variables, &[command, "list"]).assert_success().stdout, "");
        }
        let [user, another, client] = [fresh(), fresh(), fresh()].map(|id| id.to_string());
        let older = issue_token(&variables, &user, &client);
        let revoked = issue_token(&variables, &another, &client);
        issue_token(&variables, &another, &fresh().to_string());
        esoz(&variables, &["token", "revoke", revoked.expose()]).assert_success();

        let printed = esoz(&variables, &["token", "list", "--client", &client]);
        let lines: Vec<&str> = printed.assert_success().stdout.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let (first, second) = (lines[0], lines[1]);
        assert!(first.starts_with(&format!("{} revoked issued 20", revoked.digest().short())), "{first}");
        assert!(second.starts_with(&format!("{} valid issued 20", older.digest().short())), "{second}");
        let end = format!(" user {user} client {client} scope device_dispense:stop event:read");
        assert!(second.contains(" expires 20") && second.ends_with(&end), "{second}");
        assert!(!printed.stdout.contains(older.expose()), "{second}");

        let tokens = listed(&variables, &["token", "list", "--user", &user]);
        assert_eq!(tokens.len(), 1, "{tokens:?}");
        let token = &tokens[0];
        let expected = json!({
            "digest": older.digest().short(), "state": "valid", "issued_at": token["issued_at"], "expires_at": token["expires_at"],
            "user_id": user, "client_id": client, "scope": "device_dispense:stop event:read",
        });
        assert_eq!(*token, expected);

        let key = issue_api_key(&variables, &client);
        esoz(&variables, &["user", "block", &user]).assert_success();
        assert_eq!(listed(&variables, &["token", "list", "--user", &user])[0]["state"], "user_blocked");
        esoz(&variables, &["client", "block", &client]).assert_success();
        let keys = listed(&variables, &["api-key", "list", "--client", &client]);
        assert_eq!(keys.len(), 1, "{keys:?}");
        let listed_key = &keys[0];
        let expected = json!({
            "digest": key.digest().short(), "state": "client_blocked", "issued_at": listed_key["issued_at"],
            "client_id": client, "scope": "private_contracts:write",
        });
        assert_eq!(*listed_key, expected);
    }

    async fn a_credential_whose_secret_is_lost_is_revoked_by_its_digest(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        esoz(&variables, &["migrate"]).assert_success();
        let [user, client] = [fresh(), fresh()].map(|id| id.to_string());
        let (token, key) = (issue_token(&variables, &user, &client), issue_api_key(&variables, &client));
        issue_token(&variables, &user, &client);
        let state = |command: &str, digest: &str| {
            let listed = listed(&variables, &[command, "list"]);
            listed.iter().find(|one| one["digest"] == *digest).unwrap()["state"].clone()
        };
        for (command, what, of_this, of_other) in
            [("token", "token", &token, &key), ("api-key", "api key", &key, &token)]
        {
            let revoke = |digest: &str| esoz(&variables, &[command, "revoke", "--digest", digest]);
            let digest = of_this.digest().short();
            let none = format!("there is no such {what}; nothing was revoked. Accepted are the {what} itself");
            revoke(&of_other.digest().short()).assert_failure(&none);
            // The digest is no secret.
            esoz(&variables, &[command, "revoke", &digest]).assert_failure(&none);
            assert!(!revoke(&digest[..7]).status.success());
            assert!(!esoz(&variables, &[command, "revoke"]).status.success());
            assert_eq!(state(command, &digest), "valid");
            let revoked = revoke(&digest[..8]);
            let told = format!("the {what} with the digest {digest}… is revoked");
            assert!(revoked.assert_success().stdout.starts_with(&told), "{}", revoked.stdout);
            assert_eq!(state(command, &digest), "revoked");
        }
    }

    async fn users_and_clients_are_listed_with_their_state(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        esoz(&variables, &["migrate"]).assert_success();
        let [blocked, client] = [fresh(), fresh()].map(|id| id.to_string());
        let mut users = [fresh().to_string(), blocked.clone()];
        for user in &users {
            issue_token(&variables, user, &client);
        }
        users.sort();
        esoz(&variables, &["user", "block", &blocked]).assert_success();
        let state = |user: &String| if *user == blocked { "blocked" } else { "active" };
        let expected = users.iter().map(|user| json!({"id": user, "state": state(user)})).collect::<Vec<_>>();
        assert_eq!(listed(&variables, &["user", "list"]), expected);
        let printed = esoz(&variables, &["user", "list", "--blocked"]);
        assert_eq!(printed.assert_success().stdout, format!("{blocked} blocked\n"));
        let printed = esoz(&variables, &["client", "list"]);
        assert_eq!(printed.assert_success().stdout, format!("{client} active\n"));
        assert_eq!(esoz(&variables, &["client", "list", "--blocked"]).assert_success().stdout, "");
    }

    async fn a_block_says_what_follows_and_how_soon(kind) {
        let stores = TestStores::fresh(kind).await;
        let variables = environment(&stores);
        esoz(&variables, &["migrate"]).assert_success();
        let id = fresh().to_string();
        for (ttl_ms, end) in [("0", ""), ("750", "; running servers apply it within 750 ms (cache.ttl_ms)")] {
            let variables = with(variables.clone(), "ESOZ_CACHE__TTL_MS", ttl_ms);
            for (who, blocked) in [
                ("user", "none of its tokens is valid any more"),
                ("client", "none of its tokens and api keys is valid any more"),
            ] {
                let printed = esoz(&variables, &[who, "block", &id]);
                let expected = format!("{who} {id} is blocked: {blocked}{end}\n");
                assert_eq!(printed.assert_success().stdout, expected);
                let printed = esoz(&variables, &[who, "unblock", &id]);
                let printed = &printed.assert_success().stdout;
                assert!(printed.starts_with(&format!("{who} {id} is not blocked: ")), "{printed}");
                assert!(printed.ends_with(&format!("{end}\n")) && printed.lines().count() == 1, "{printed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_scope_is_warned_of_and_issued_and_none_is_refused() {
    let stores = TestStores::fresh(Kind::Sqlite).await;
    let variables = environment(&stores);
    esoz(&variables, &["migrate"]).assert_success();
    let id = fresh().to_string();
    let token =
        |scope| esoz(&variables, &["token", "issue", "--user", &id, "--client", &id, "--scope", scope]);
    let api_key = |scope| esoz(&variables, &["api-key", "issue", "--client", &id, "--scope", scope]);
    for (issued, warning) in [
        (token("device_dispense:stpo"), Some("the nearest one is device_dispense:stop")),
        (token("device_dispense:stop"), None),
        (api_key("private_contract:write"), Some("the nearest one is private_contracts:write")),
        (api_key("private_contracts:write"), None),
    ] {
        assert_eq!(issued.assert_success().stdout.trim_end().len(), 43, "{}", issued.stdout);
        match warning {
            Some(warning) => {
                let line: Value = serde_json::from_str(issued.stderr.trim_end()).unwrap();
                assert_eq!(line["level"], "WARN");
                assert!(line["message"].as_str().unwrap().ends_with(warning), "{line}");
            }
            None => assert_eq!(issued.stderr, ""),
        }
    }
    token("").assert_failure("this server asks a token for device_dispense:complete, device_dispense:mark_in_error, device_dispense:read, device_dispense:stop, ");
    api_key(" ").assert_failure("this server asks an api key for private_contracts:");
}
