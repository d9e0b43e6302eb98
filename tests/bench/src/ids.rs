//! Ids that every process of the bench works out for itself from a number, so that none has to be told millions of them.

use std::time::Duration;

use esoz_kernel::{Timestamp, Uuid};

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// Device dispenses.
    Dispense,
    /// Contract divisions.
    Record,
    /// Contracts; see [`contract_of`].
    Contract,
    /// Divisions, two for each contract division; see [`division_of`].
    Division,
    /// Events.
    Event,
    /// Legal entities; see [`owner_of`].
    Owner,
    /// Device requests; that of a dispense has the number of the dispense.
    Request,
    /// Device dispenses that the server records.
    Created,
}

/// How many contract divisions belong to one contract.
const RECORDS_PER_CONTRACT: u64 = 10;

/// A prime larger than any count here: its multiples, taken modulo a count, visit each number once, and neighbours far apart.
const STRIDE: u64 = 2_654_435_761;

/// The id of the thing with that number: always the same, and as scattered as random ones.
pub fn id(of: Numbered, number: u64) -> Uuid {
    let kind: u64 = match of {
        Numbered::Dispense => 1,
        Numbered::Record => 2,
        Numbered::Contract => 3,
        Numbered::Division => 4,
        Numbered::Event => 5,
        Numbered::Owner => 6,
        Numbered::Request => 7,
        Numbered::Created => 8,
    };
    let high = scattered(number ^ (kind << 56));
    let low = scattered(high);
    version_4((u128::from(high) << 64) | u128::from(low))
}

/// One of a hundred legal entities, which the dispense with that number belongs to unless it is the bench's own.
pub fn owner_of(dispense: u64) -> Uuid {
    id(Numbered::Owner, dispense % 100)
}

/// When the dispense with that number was recorded: all at different times, in no order.
pub fn inserted_at(dispense: u64) -> Timestamp {
    const FIRST: Timestamp = Timestamp::constant(1_735_689_600, 0);
    const YEAR_MS: u64 = 31_536_000_000;
    FIRST.saturating_add(Duration::from_millis(scattered(dispense) % YEAR_MS))
}

/// The contract that the contract division with that number belongs to.
pub fn contract_of(record: u64) -> Uuid {
    id(Numbered::Contract, record / RECORDS_PER_CONTRACT)
}

/// How many contracts that many contract divisions need.
pub fn contracts_for(records: u64) -> u64 {
    records.div_ceil(RECORDS_PER_CONTRACT)
}

/// One of the two divisions that the contract division with that number goes back and forth between.
pub fn division_of(record: u64, is_second: bool) -> Uuid {
    id(Numbered::Division, record * 2 + u64::from(is_second))
}

/// The `turn`th number of `count` in an order that jumps about, so that neither a cache nor a disk is met in the order of loading.
pub fn shuffled(turn: u64, count: u64) -> u64 {
    let product = u128::from(turn) * u128::from(STRIDE) % u128::from(count.max(1));
    u64::try_from(product).unwrap_or_default()
}

/// splitmix64: a bijection whose outputs look random.
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// With the marks of a random UUID.
fn version_4(bits: u128) -> Uuid {
    let unmarked = bits & !((0xf << 76) | (0x3 << 62));
    Uuid::from_u128(unmarked | (0x4 << 76) | (0x2 << 62))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_stable_different_and_well_formed() {
        let all: HashSet<Uuid> = (0..10_000)
            .flat_map(|number| [id(Numbered::Dispense, number), id(Numbered::Record, number)])
            .collect();
        assert_eq!(all.len(), 20_000);
        assert_eq!(id(Numbered::Dispense, 7), id(Numbered::Dispense, 7));
        assert!(all.iter().all(|id| id.get_version_num() == 4));
    }

    #[test]
    fn every_number_has_its_turn_once() {
        for count in [1, 2, 10, 9_999, 10_000] {
            let seen: HashSet<u64> = (0..count).map(|turn| shuffled(turn, count)).collect();
            assert_eq!(seen.len(), usize::try_from(count).unwrap());
            assert!(seen.iter().all(|&number| number < count));
        }
    }

    #[test]
    fn a_record_has_two_divisions_of_its_own_and_shares_its_contract() {
        let divisions: HashSet<Uuid> =
            (0..100).flat_map(|record| [division_of(record, false), division_of(record, true)]).collect();
        assert_eq!(divisions.len(), 200);
        assert_eq!(contract_of(0), contract_of(9));
        assert_ne!(contract_of(9), contract_of(10));
        assert_eq!([contracts_for(1), contracts_for(10), contracts_for(11)], [1, 1, 2]);
    }
}
