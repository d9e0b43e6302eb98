//! C01 and C07: paths and verbs.

use esoz_tests::{StopFixture, TestApp, UpdateFixture, on_every_store};
use reqwest::Method;

on_every_store! {
    async fn c01_unknown_path_and_wrong_verb(kind) {
        let app = TestApp::new(kind).await;
        let fixture = StopFixture::load(&app).await;
        let update = UpdateFixture::load(&app).await;
        for path in ["/", "/api", "/api/nothing?with=query", "/api/admin", "/..%2f..%2fetc"] {
            app.request(Method::GET, path).send().await.assert_not_found();
        }
        for (path, pattern) in [
            (fixture.path(), "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop"),
            (update.path(), "/api/admin/contract_divisions/{id}"),
        ] {
            let taken = esoz_http::served().into_iter().filter(|(_, served)| served == pattern);
            let allow: Vec<String> = taken.map(|(method, _)| method).collect();
            let allow = allow.join(", ").replace("GET", "GET, HEAD");
            let all = [Method::GET, Method::PUT, Method::PATCH, Method::POST, Method::DELETE, Method::OPTIONS];
            for method in all.into_iter().filter(|method| !allow.contains(method.as_str())) {
                let answer = app.request(method, &path).send().await;
                let message = format!("Method is not allowed here. Allowed: {allow}.");
                answer.assert_error(405, "method_not_allowed", &message);
                assert_eq!(answer.headers["allow"], allow);
            }
        }
    }

    async fn c07_head_is_get_without_the_body(kind) {
        let app = TestApp::new(kind).await;
        for (_, path) in esoz_http::served().into_iter().filter(|(method, _)| method == "GET") {
            // By a bare client: a page is no JSON, and no `HEAD` is described.
            let (client, url) = (reqwest::Client::new(), format!("{}{path}", app.base()));
            let get = client.get(&url).send().await.unwrap();
            let head = client.head(&url).send().await.unwrap();
            assert_eq!(head.status(), get.status(), "{path}");
            for name in ["content-type", "content-length", "cache-control", "etag", "vary"] {
                assert_eq!(head.headers().get(name), get.headers().get(name), "{path}: {name}");
            }
            assert!(!get.bytes().await.unwrap().is_empty(), "{path}");
            assert!(head.bytes().await.unwrap().is_empty(), "{path}");
        }
    }
}
