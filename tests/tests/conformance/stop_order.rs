//! P01 to P04: where two things are wrong at once, the earlier rule answers.

use esoz_auth::Scope;
use esoz_device_dispense::DispenseStatus;
use esoz_kernel::LegalEntityId;
use esoz_legal_entity::LegalEntityStatus;
use esoz_testkit::builders::fresh;
use esoz_tests::{StopScene, World, on_every_store};

const NOT_ACTIVE: &str = "client_id refers to legal entity that is not active";

async fn suspend(world: &World, scene: &StopScene) {
    let mut pharmacy = scene.pharmacy.clone();
    pharmacy.facts.status = LegalEntityStatus::Suspended;
    world.put_legal_entity(&pharmacy).await;
}

on_every_store! {
    async fn p01_expired_token_and_missing_scope(kind) {
        let world = World::new(kind).await;
        let scene = StopScene::load(&world).await;
        let token = scene
            .issue(&world, |token| {
                token.expires_at = world.in_seconds(-1);
                token.scope = Scope::parse("");
            })
            .await;
        world.patch(&scene.path()).token(&token).send().await.assert_invalid_token();
    }

    async fn p02_missing_scope_and_inactive_legal_entity(kind) {
        let world = World::new(kind).await;
        let scene = StopScene::load(&world).await;
        suspend(&world, &scene).await;
        let token = scene.issue(&world, |token| token.scope = Scope::parse("a:b")).await;
        let message = "Your scope does not allow to access this resource. Missing allowances: device_dispense:stop";
        world.patch(&scene.path()).token(&token).send().await.assert_error(403, "forbidden", message);
    }

    async fn p03_inactive_legal_entity_and_unknown_dispense(kind) {
        let world = World::new(kind).await;
        let scene = StopScene::load(&world).await;
        suspend(&world, &scene).await;
        let unknown = scene.another(&world).build();
        scene.request_for(&world, &unknown).send().await.assert_conflict(NOT_ACTIVE);
        let no_uuid = world.patch(&esoz_tests::stop_path("no", "uuid")).token(&scene.token).send().await;
        no_uuid.assert_conflict(NOT_ACTIVE);
    }

    async fn p04_foreign_dispense_in_status_completed(kind) {
        let world = World::new(kind).await;
        let scene = StopScene::load(&world).await;
        let foreign = scene.another(&world).owner(LegalEntityId::new(fresh())).status(DispenseStatus::Completed).build();
        world.put_dispense(&foreign).await;
        scene.request_for(&world, &foreign).send().await.assert_not_found();
    }
}
