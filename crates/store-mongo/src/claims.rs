//! The relays' claims on entities: one shared document, so that a claim writes only that and no dispense.

use bson::{Bson, Document, RawBsonRef, RawDocumentBuf, doc};
use esoz_events::Claim;
use esoz_kernel::{StoreError, Timestamp, Uuid};

use crate::{
    collections::Collections,
    error::MongoError,
    fields::{
        CLAIM_BY, CLAIM_ENTITIES, CLAIM_UNTIL, CLAIMS, COLLECTION, HELD, HELD_ENTITIES, ID, VERSION, path,
    },
    values::{binary, millis, uuid},
};

/// How often the document is read again after a repair.
const MAX_REPAIRS: usize = 3;

/// What was read of the claims.
#[derive(Default)]
pub(crate) struct Claims {
    /// Incremented by every claim. `None` before the first claim.
    version: Option<i64>,
    /// The entities that other relays have claimed.
    pub(crate) held_by_others: Vec<Bson>,
    /// The readable entries, if some are unreadable.
    sound: Option<Vec<Bson>>,
}

impl Collections {
    /// Reads the claims. Unreadable entries are removed and claim nothing: losing one costs work, not correctness.
    pub(crate) async fn claims(&self, claim: &Claim) -> Result<Claims, StoreError> {
        for _ in 0..MAX_REPAIRS {
            let find = self.claims_collection.find_one(this()).max_time(self.operation_timeout);
            let Some(found) = self.attempt("reading the relays' claims", find).await? else {
                return Ok(Claims::default());
            };
            let mut claims = read(&found, claim);
            let Some(sound) = claims.sound.take() else { return Ok(claims) };
            let error = self.repair(claims.version, sound).await;
            error.map_err(|error| error.during("repairing the relays' claims"))?;
            tracing::warn!(
                collection = CLAIMS,
                id = COLLECTION,
                "the relays' claims could not be read; they were repaired"
            );
        }
        Err(StoreError::corrupt(CLAIMS, COLLECTION, HELD))
    }

    /// Removes all other entries, unless another relay has repaired the document first.
    async fn repair(&self, version: Option<i64>, sound: Vec<Bson>) -> Result<(), MongoError> {
        let mut filter = this();
        filter.insert(VERSION, version.map_or(Bson::from(doc! { "$not": { "$type": "long" } }), Bson::Int64));
        let mut repaired = this();
        repaired.extend(doc! { VERSION: version.unwrap_or_default().wrapping_add(1), HELD: sound });
        let claims = self.claims_collection.clone_with_type();
        self.with_timeout(claims.replace_one(filter, repaired)).await.map(drop)
    }

    /// Claims the entities unless another claim was made since the claims were read; returns whether it did.
    pub(crate) async fn try_claim(
        &self,
        claim: &Claim,
        known: &Claims,
        entities: Vec<Bson>,
    ) -> Result<bool, StoreError> {
        let until = rounded_up(claim.until());
        let new = doc! { CLAIM_BY: binary(claim.by), CLAIM_UNTIL: until, CLAIM_ENTITIES: entities };
        let held = match known.version {
            None => self.insert_claims(new).await,
            Some(version) => self.replace_claims(new, version, claim).await,
        };
        held.map_err(|error| error.during("claiming waiting events"))
    }

    async fn insert_claims(&self, new: Document) -> Result<bool, MongoError> {
        let mut document = this();
        document.extend(doc! { VERSION: 1_i64, HELD: [new] });
        let claims = self.claims_collection.clone_with_type();
        match self.with_timeout(claims.insert_one(document)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_duplicate_key() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes ended and empty claims by the way, so that the document does not grow.
    async fn replace_claims(&self, new: Document, version: i64, claim: &Claim) -> Result<bool, MongoError> {
        let until = format!("$$this.{CLAIM_UNTIL}");
        let holds = doc! { "$and": [
            { "$gt": [&until, millis(claim.now)] },
            { "$lte": [&until, rounded_up(claim.latest_end())] },
            { "$ne": [format!("$$this.{CLAIM_ENTITIES}"), []] },
        ] };
        let rest = doc! { "$filter": { "input": path(HELD), "cond": holds } };
        let held = doc! { "$concatArrays": [rest, { "$literal": [new] }] };
        let update = vec![doc! { "$set": { VERSION: version.wrapping_add(1), HELD: held } }];
        let mut filter = this();
        filter.insert(VERSION, version);
        let update = self.claims_collection.update_one(filter, update);
        self.with_timeout(update).await.map(|updated| updated.matched_count > 0)
    }

    /// Ends all claims on these entities.
    pub(crate) async fn end_claims(&self, entities: Vec<Bson>) -> Result<(), StoreError> {
        let gone = doc! { "$pull": { HELD_ENTITIES: { "$in": entities } } };
        let update = self.claims_collection.update_one(this(), gone);
        self.attempt("ending claims on delivered events", update).await.map(drop)
    }

    /// Ends all claims of this relay.
    pub(crate) async fn release_claims(&self, by: Uuid) -> Result<(), StoreError> {
        let gone = doc! { "$pull": { HELD: { CLAIM_BY: binary(by) } } };
        let update = self.claims_collection.update_one(this(), gone);
        self.attempt("giving claimed events back", update).await.map(drop)
    }
}

/// The filter for the document: its id is the name of the collection of dispenses.
fn this() -> Document {
    doc! { ID: COLLECTION }
}

fn read(document: &RawDocumentBuf, claim: &Claim) -> Claims {
    let (now, latest_end) = (millis(claim.now), rounded_up(claim.latest_end()));
    let version = document.get_i64(VERSION).ok();
    let held = document.get_array(HELD).ok();
    let mut is_sound = version.is_some() && held.is_some();
    let (mut held_by_others, mut sound) = (Vec::new(), Vec::new());
    for held in held.into_iter().flatten() {
        let Some(Held { by, until, entities }) = held.ok().and_then(entry) else {
            is_sound = false;
            continue;
        };
        sound.push(doc! { CLAIM_BY: binary(by), CLAIM_UNTIL: until, CLAIM_ENTITIES: &entities }.into());
        if by != claim.by && until > now && until <= latest_end {
            held_by_others.extend(entities);
        }
    }
    Claims { version, held_by_others, sound: (!is_sound).then_some(sound) }
}

/// A claim as it is stored.
struct Held {
    by: Uuid,
    until: bson::DateTime,
    entities: Vec<Bson>,
}

fn entry(stored: RawBsonRef<'_>) -> Option<Held> {
    let stored = stored.as_document()?;
    let entities = stored.get_array(CLAIM_ENTITIES).ok()?.into_iter();
    Some(Held {
        by: uuid(stored, CLAIM_BY)?,
        until: stored.get_datetime(CLAIM_UNTIL).ok()?,
        entities: entities.map(|entity| entity.ok()?.try_into().ok()).collect::<Option<_>>()?,
    })
}

/// The time in milliseconds, rounded up: a claim must not end early. The time it is compared with is rounded down.
fn rounded_up(time: Timestamp) -> bson::DateTime {
    let cut = millis(time);
    let was_cut = time != esoz_kernel::time::to_millis(time);
    bson::DateTime::from_millis(cut.timestamp_millis().saturating_add(i64::from(was_cut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_no_earlier_than_it_says() {
        let until = |text: &str| rounded_up(text.parse().unwrap()).timestamp_millis();
        assert_eq!(until("1970-01-01T00:00:01Z"), 1_000);
        assert_eq!(until("1970-01-01T00:00:01.000000001Z"), 1_001);
        assert_eq!(rounded_up(Timestamp::MAX).timestamp_millis(), Timestamp::MAX.as_millisecond() + 1);
    }
}
