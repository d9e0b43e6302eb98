use async_trait::async_trait;
use esoz_auth::{AccessTokens, ApiKeyFacts, ApiKeys, Secret, TokenFacts};
use esoz_contract_division::{ContractDivision, ContractDivisions, Refusal, Write};
use esoz_device_dispense::{DeviceDispenses, Dispense, StoredDispense, Transition};
use esoz_events::{
    Backlog, Claim, Claimed, EventPublisher, EventRef, Outbox, PublishError, Refused, SetAside,
    StatusChangeEvent, Which,
};
use esoz_kernel::{
    Committed, DispenseId, IdempotencyRecords, LegalEntityId, StoreError, Timestamp, Uuid, Written,
};
use esoz_legal_entity::{LegalEntities, LegalEntity};

use super::{Observed, SPANS};

/// Passes every call of these ports on, observed.
macro_rules! observed {
    ($($port:ident as $name:literal {
        $($operation:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+
    })+) => {
        /// Each port with its operations.
        pub(crate) const OPERATIONS: &[(&str, &[&str])] = &[$(($name, &[$(stringify!($operation)),+])),+];

        $(
            #[async_trait]
            impl $port for Observed<dyn $port> {
                $(
                    async fn $operation(&self, $($argument: $kind),*) -> $answer {
                        let span = tracing::info_span!(
                            target: SPANS,
                            concat!("store.", $name, ".", stringify!($operation)),
                            store = self.store,
                            operation = stringify!($operation),
                            outcome = tracing::field::Empty,
                        );
                        let call = self.inner.$operation($($argument),*);
                        self.observe($name, stringify!($operation), span, call).await
                    }
                )+
            }
        )+
    };
}

observed! {
    AccessTokens as "access_tokens" {
        find(presented: &Secret) -> Result<Option<TokenFacts>, StoreError>;
    }
    ApiKeys as "api_keys" {
        find(presented: &Secret) -> Result<Option<ApiKeyFacts>, StoreError>;
    }
    LegalEntities as "legal_entities" {
        find(id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError>;
    }
    ContractDivisions as "contract_divisions" {
        write(write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError>;
    }
    DeviceDispenses as "device_dispenses" {
        find(id: DispenseId) -> Result<Option<StoredDispense>, StoreError>;
        commit(change: &Transition) -> Result<Committed<Dispense>, StoreError>;
    }
    Outbox as "outbox" {
        claim(claim: &Claim) -> Result<Claimed, StoreError>;
        remove(delivered: &[EventRef]) -> Result<(), StoreError>;
        set_aside(refused: &[Refused], now: Timestamp) -> Result<(), StoreError>;
        release(by: Uuid) -> Result<(), StoreError>;
        backlog() -> Result<Backlog, StoreError>;
        list_set_aside(limit: u32) -> Result<Vec<SetAside>, StoreError>;
        retry(which: &Which) -> Result<u64, StoreError>;
        drop_set_aside(id: &str) -> Result<bool, StoreError>;
    }
    IdempotencyRecords as "key_records" {
        purge_expired(until: Timestamp, most: u32) -> Result<u64, StoreError>;
    }
    EventPublisher as "event_publisher" {
        publish(events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>>;
    }
}
