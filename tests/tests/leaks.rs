//! The search for what must not be said finds it: a test that finds nothing would tell nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use esoz_tests::{Kind, StopScene, World, heard};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_line_of_the_log_is_found_when_the_world_ends() {
    let world = World::new(Kind::Sqlite).await;
    let scene = StopScene::load(&world).await;
    assert_eq!(scene.stop(&world).await.status, 200);
    // What is searched is really there: lines, spans of requests, of use cases and of stores.
    let said = heard::said();
    for expected in
        ["\"message\":\"request\"", "stop_device_dispense", "store.device_dispenses.change_status"]
    {
        assert!(said.contains(expected), "{expected} is not in what was said:\n{said}");
    }
    tracing::trace!(target: "esoz_http", header = format!("Bearer {}", scene.token.expose()), "planted");
    let found = catch_unwind(AssertUnwindSafe(|| drop(world))).unwrap_err();
    let found = found.downcast_ref::<String>().unwrap();
    assert!(found.contains("holds what nobody may see: a token"), "{found}");
}
