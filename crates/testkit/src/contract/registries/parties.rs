//! Parties and their users.

use std::slice;

use esoz_kernel::{Put, UserId};
use esoz_registries::PartyRecord;

use super::super::RegistryStore;
use super::fixtures::{assert_refused_for, create, put, put_one, scan};
use crate::builders::{party_of, user};

/// The party of a user as the store finds it, alone and among the facts: both tell the same.
async fn assert_party(store: &RegistryStore, user: UserId, party: Option<&PartyRecord>) {
    let found = store.registries.party(user).await.unwrap();
    assert_eq!(found, party.map(|party| party.facts.clone()));
}

/// By each of its users, and by no other one.
pub async fn a_party_is_found_by_each_of_its_users(store: RegistryStore) {
    let (one, other) = (party_of([user(), user(), user()]), party_of([user()]));
    assert_party(&store, one.users[0], None).await;
    create(&store, &[one.clone(), other.clone(), party_of([])]).await;
    for party in [&one, &other] {
        for user in &party.users {
            assert_party(&store, *user, Some(party)).await;
        }
    }
    assert_party(&store, user(), None).await;
}

/// A party without a taxpayer number is found without one.
pub async fn a_party_may_have_no_taxpayer_number(store: RegistryStore) {
    let mut party = party_of([user()]);
    create(&store, slice::from_ref(&party)).await;
    party.facts.drfo = None;
    assert_eq!(put_one(&store, &party).await, Put::Updated);
    assert_party(&store, party.users[0], Some(&party)).await;
}

/// A user that a party no longer names has none, and one that it names by now has it.
pub async fn users_come_and_go_with_the_content_of_their_party(store: RegistryStore) {
    let mut party = party_of([user(), user()]);
    create(&store, slice::from_ref(&party)).await;
    let (stays, goes, comes) = (party.users[0], party.users[1], user());
    party.users = party_of([stays, comes]).users;
    assert_eq!(put_one(&store, &party).await, Put::Updated);
    assert_party(&store, goes, None).await;
    for user in [stays, comes] {
        assert_party(&store, user, Some(&party)).await;
    }
}

/// In one call or in two: the party that gives the user up comes first.
pub async fn a_user_moves_when_the_other_party_gives_it_up(store: RegistryStore) {
    let (mut from, mut to) = (party_of([user()]), party_of([]));
    create(&store, &[from.clone(), to.clone()]).await;
    for in_one_call in [true, false, true] {
        to.users.append(&mut from.users);
        if in_one_call {
            let answers = put(&store, &[from.clone(), to.clone()]).await;
            assert_eq!(answers, [Put::Updated, Put::Updated]);
        } else {
            assert_eq!(put_one(&store, &from).await, Put::Updated);
            assert_eq!(put_one(&store, &to).await, Put::Updated);
        }
        assert_party(&store, to.users[0], Some(&to)).await;
        (from, to) = (to, from);
    }
}

/// A new party, or a changed one, that names a user of another one is refused, and nothing of it is stored: neither its other users nor
/// its content.
pub async fn a_user_of_two_parties_is_refused(store: RegistryStore) {
    let (one, other) = (party_of([user(), user()]), party_of([user()]));
    create(&store, &[one.clone(), other.clone()]).await;
    let newcomer = user();
    let new = party_of([newcomer, one.users[0]]);
    let mut changed = other.clone();
    changed.facts.drfo = None;
    changed.users = party_of([newcomer, one.users[1]]).users;
    let sound = party_of([user()]);
    let answers = put(&store, &[new, changed, sound.clone()]).await;
    assert_refused_for(&answers[0], &["user", "party"]);
    assert_refused_for(&answers[1], &["user", "party"]);
    assert_eq!(answers[2], Put::Created);
    assert_party(&store, newcomer, None).await;
    for party in [&one, &other, &sound] {
        for user in &party.users {
            assert_party(&store, *user, Some(party)).await;
        }
    }
    let mut expected = vec![one, other, sound];
    expected.sort_unstable_by_key(|party| party.facts.id);
    assert_eq!(scan::<PartyRecord>(&store, 10).await, expected);
}
