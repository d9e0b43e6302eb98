//! What a run's requests are about: dispenses of a few pharmacies, contract divisions of one clinic, and those who may change them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use esoz::{Config, Stores};
use esoz_auth::{NewAccessToken, NewApiKey, Secret};
use esoz_device_dispense::{DispenseStatus, OverdueFilter, PatientPseudonyms as _, Trigger};
use esoz_kernel::system::SystemClock;
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{Clock as _, PatientId, Put, StoreError};
use esoz_testkit::builders;
use esoz_tests::{PATIENT_KEY, TestStores, client_of};
use jiff::SignedDuration;

use crate::state::{Loaded, Pair};

/// How many dispenses are loaded with one call.
const CHUNK: usize = 500;
/// The number of pharmacies. The token that may stop a dispense is at a place with its remainder.
pub const PHARMACIES: usize = 4;
/// The lifetime of a dispense: so long that only those that are loaded as overdue expire.
const LIFETIME: Duration = Duration::from_hours(24 * 365 * 10);
const OVERDUE_EVERY: Duration = Duration::from_millis(100);
/// The user in whose name dispenses expire.
pub const SYSTEM_USER: &str = "e502e502-0000-4000-8000-000000000001";

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Dispenses.
    pub dispenses: usize,
    /// More dispenses, one of which becomes overdue every 100 ms.
    pub overdue: usize,
    /// Contracts, and as many divisions.
    pub contracts: usize,
    /// Contract divisions; fewer than the square of the contracts.
    pub records: usize,
    /// Tokens in use at the same time, of pharmacies and of the national health service each.
    pub tokens: usize,
}

/// A token in use.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its number, by which the history tells of it.
    pub number: u32,
    /// The token.
    pub secret: Secret,
    /// Its user.
    pub user: String,
    /// As it is stored.
    stored: NewAccessToken,
}

/// The tokens of one kind: those in use, and revoked ones.
#[derive(Debug)]
pub struct Tokens {
    in_use: RwLock<Vec<Token>>,
    /// With the place that each had.
    revoked: RwLock<Vec<(usize, Token)>>,
}

impl Tokens {
    /// The token in use at that place.
    pub fn at(&self, place: usize) -> Token {
        let tokens = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        tokens[place % tokens.len()].clone()
    }

    /// A revoked one, or one that is just being revoked, if there is any whose client may do the same as the one at that place.
    pub fn revoked(&self, place: usize, pick: usize) -> Option<Token> {
        let all = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let may_the_same = |(its, _): &&(usize, Token)| its % PHARMACIES == place % PHARMACIES;
        let tokens: Vec<_> = all.iter().filter(may_the_same).collect();
        if tokens.is_empty() { None } else { Some(tokens[pick % tokens.len()].1.clone()) }
    }

    /// Another token takes that place; gives the one that had it.
    fn replace(&self, place: usize, token: Token) -> Token {
        let mut tokens = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        let place = place % tokens.len();
        let old = std::mem::replace(&mut tokens[place], token);
        self.revoked.write().unwrap_or_else(PoisonError::into_inner).push((place, old.clone()));
        old
    }
}

/// A dispense, and what its requests need.
#[derive(Debug, Clone)]
pub struct Target {
    /// The dispense.
    pub id: String,
    /// Its patient.
    pub patient: String,
    /// The number of its pharmacy: tokens at places that leave this remainder may stop it.
    pub pharmacy: usize,
}

/// Everything that is loaded.
pub struct Fixtures {
    /// The stores, past the servers under test.
    pub stores: Stores,
    /// The dispenses.
    pub dispenses: Vec<Target>,
    /// The contract divisions.
    pub records: Vec<String>,
    /// The contracts.
    pub contracts: Vec<String>,
    /// The divisions.
    pub divisions: Vec<String>,
    /// The api key that updates need.
    pub api_key: Secret,
    /// Tokens that stop.
    pub stopping: Tokens,
    /// Tokens that update.
    pub updating: Tokens,
    /// What the checker must know of it.
    pub loaded: Loaded,
    next_token: AtomicU32,
}

/// The variables under which servers and loaders work on those stores, but for what a scenario sets itself.
pub fn variables(stores: &TestStores) -> Vec<(String, String)> {
    let mut variables = stores.variables().to_vec();
    let ours = [
        ("ESOZ_PATIENT__KEY", PATIENT_KEY),
        ("ESOZ_CACHE__TTL_MS", "0"),
        ("ESOZ_EVENTS__POLL_MS", "100"),
        ("ESOZ_EVENTS__BACKOFF_LONGEST_MS", "500"),
        // A relay that is killed keeps its entities for this long.
        ("ESOZ_KAFKA__DELIVERY_TIMEOUT_MS", "1000"),
        ("ESOZ_EVENTS__LEASE_MS", "7000"),
        ("ESOZ_LOG__LEVEL", "warn"),
        ("ESOZ_DEVICE_DISPENSE__SYSTEM_USER_ID", SYSTEM_USER),
        ("ESOZ_DEVICE_DISPENSE__EXPIRE_EVERY_S", "1"),
    ];
    variables.push(("ESOZ_DEVICE_DISPENSE__LIFETIME_S".to_owned(), LIFETIME.as_secs().to_string()));
    variables.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables
}

/// Opens stores by the variables of a server.
///
/// # Errors
/// When they cannot be opened.
pub async fn open(variables: &[(String, String)]) -> Result<Stores> {
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Stores::open_or_create(&Config::from_sources(None, environment)?).await
}

impl Fixtures {
    /// Makes everything and loads it.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn load(variables: &[(String, String)], size: Size) -> Result<Arc<Self>> {
        let stores = open(variables).await.context("opening the stores")?;
        let pseudonyms = esoz_pseudonym::HmacSha256Pseudonyms::try_new(PATIENT_KEY)?;
        let pharmacies: Vec<_> = (0..PHARMACIES).map(|_| builders::legal_entity()).collect();
        let clinic = builders::legal_entity();
        let organisations: Vec<_> = pharmacies.iter().chain([&clinic]).cloned().collect();
        loaded(&stores.legal_entity_registry.put_legal_entities(&organisations).await?)?;

        let mut dispenses = Vec::with_capacity(size.dispenses);
        let mut records = Vec::with_capacity(CHUNK);
        for number in 0..size.dispenses {
            let pharmacy = number % PHARMACIES;
            let patient = PatientId::new(builders::fresh());
            let owner = pharmacies[pharmacy].facts.id;
            let dispense = builders::dispense().owner(owner).subject(pseudonyms.of(patient)).build();
            let (id, patient) = (dispense.id.to_string(), patient.uuid().to_string());
            dispenses.push(Target { id, patient, pharmacy });
            records.push(dispense);
            if records.len() == CHUNK || number + 1 == size.dispenses {
                loaded(&stores.dispense_registry.put_dispenses(&records).await?)?;
                records.clear();
            }
        }

        let begin = SystemClock.now().saturating_sub(LIFETIME);
        let overdue: Vec<_> = (1..=u32::try_from(size.overdue)?)
            .map(|number| {
                let inserted_at = rfc3339_millis(begin.saturating_add(OVERDUE_EVERY * number));
                builders::dispense().field("inserted_at", inserted_at.into()).build()
            })
            .collect();
        for some in overdue.chunks(CHUNK) {
            loaded(&stores.dispense_registry.put_dispenses(some).await?)?;
        }

        let id = clinic.facts.id;
        let divisions: Vec<_> = (0..size.contracts).map(|_| builders::division_of(id)).collect();
        let contracts: Vec<_> = (0..size.contracts).map(|_| builders::contract_of(id)).collect();
        loaded(&stores.contract_registry.put_divisions(&divisions).await?)?;
        loaded(&stores.contract_registry.put_contracts(&contracts).await?)?;
        let record = |number: usize| {
            let (contract, division) = (number / size.contracts, number % size.contracts);
            builders::contract_division(contracts[contract].facts.id, divisions[division].facts.id)
        };
        let records: Vec<_> = (0..size.records).map(record).collect();
        loaded(&stores.contract_registry.put_contract_divisions(&records).await?)?;

        let api_key = builders::secret();
        stores.credentials.add_api_key(&NewApiKey { ..builders::api_key(&api_key) }).await?;
        let pair = |record: &esoz_contract_division::ContractDivision| -> Pair {
            (record.contract_id.to_string(), record.division_id.to_string())
        };
        let known = Loaded {
            dispenses: dispenses.iter().map(|dispense| dispense.id.clone()).collect(),
            overdue: overdue.iter().map(|dispense| dispense.id.to_string()).collect(),
            records: records
                .iter()
                .map(|record| (record.id.to_string(), pair(record)))
                .collect::<BTreeMap<_, _>>(),
            revocation_bound_us: 0,
        };
        let next_token = AtomicU32::new(0);
        let mut stopping = Vec::new();
        let mut updating = Vec::new();
        for place in 0..size.tokens {
            stopping.push(new_token(&next_token, client_of(pharmacies[place % PHARMACIES].facts.id)));
            updating.push(new_token(&next_token, builders::client()));
        }
        for token in stopping.iter().chain(&updating) {
            stores.credentials.add_token(&token.stored).await?;
        }
        let tokens = |in_use| Tokens { in_use: RwLock::new(in_use), revoked: RwLock::default() };
        Ok(Arc::new(Self {
            dispenses,
            records: records.iter().map(|record| record.id.to_string()).collect(),
            contracts: contracts.iter().map(|contract| contract.facts.id.to_string()).collect(),
            divisions: divisions.iter().map(|division| division.facts.id.to_string()).collect(),
            api_key,
            stopping: tokens(stopping),
            updating: tokens(updating),
            loaded: known,
            next_token,
            stores,
        }))
    }

    /// Whether each dispense that is overdue before the run ends has expired.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn all_have_expired(&self) -> Result<bool, StoreError> {
        let from = DispenseStatus::Unknown.sources(Trigger::AutoExpire);
        // None of the others was recorded that long ago.
        let inserted_before = SystemClock.now().saturating_sub(LIFETIME / 2);
        let filter = OverdueFilter { from, inserted_before, after: None };
        Ok(self.stores.dispenses.overdue(&filter, 1).await?.is_empty())
    }

    /// Puts a new token of the same client in that place, so that the one that was there can be revoked; gives that one.
    ///
    /// # Errors
    /// When the store fails; nothing is different then.
    pub async fn relieve(&self, tokens: &Tokens, place: usize) -> Result<Token> {
        let new = new_token(&self.next_token, tokens.at(place).stored.client_id);
        self.stores.credentials.add_token(&new.stored).await?;
        Ok(tokens.replace(place, new))
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// When the store fails; whether it is revoked is unknown then.
    pub async fn revoke(&self, token: &Token) -> Result<()> {
        let revoked = self.stores.credentials.revoke_token(&token.stored.digest, SystemClock.now()).await?;
        ensure!(revoked, "token {} is unknown to the store", token.number);
        Ok(())
    }
}

fn new_token(numbers: &AtomicU32, client: esoz_kernel::ClientId) -> Token {
    let secret = builders::secret();
    let now = SystemClock.now();
    let stored = NewAccessToken {
        client_id: client,
        issued_at: now,
        expires_at: now.saturating_add(SignedDuration::from_hours(6)),
        ..builders::access_token(&secret)
    };
    let number = numbers.fetch_add(1, Ordering::Relaxed) + 1;
    Token { number, secret, user: stored.user_id.to_string(), stored }
}

fn loaded(put: &[Put]) -> Result<()> {
    let refused = put.iter().find(|put| !matches!(put, Put::Created | Put::Updated));
    ensure!(refused.is_none(), "not loaded: {refused:?}");
    Ok(())
}
