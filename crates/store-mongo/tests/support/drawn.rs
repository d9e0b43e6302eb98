//! What others may have written, drawn at random.

use bson::{Bson, spec::BinarySubtype};
use esoz_kernel::Uuid;
use proptest::prelude::*;

/// Names without a meaning of their own, and with `special` those that have one.
pub(crate) fn names(special: bool) -> BoxedStrategy<String> {
    let plain = "[a-z_. $]{1,8}".prop_filter("a name with a meaning", |name| {
        !["value", "inserted_at", "updated_at", "inserted_by", "updated_by"].contains(&name.as_str())
    });
    let meaning =
        ["identifier", "value", "inserted_at", "inserted_by", "updated_at", "when_handed_over", "_id"];
    if special {
        prop_oneof![2 => plain, 1 => prop::sample::select(meaning.to_vec()).prop_map(str::to_owned)].boxed()
    } else {
        plain.boxed()
    }
}

/// Text that is often that of a UUID or a time.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        1 => any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string().to_uppercase()),
        1 => any::<i32>().prop_map(|seconds| {
            esoz_kernel::Timestamp::from_second(i64::from(seconds)).map_or_else(|_| String::new(), |time| time.to_string())
        }),
    ]
}

/// Any value that a driver may write.
pub(crate) fn bsons() -> impl Strategy<Value = Bson> {
    let subtypes = [
        BinarySubtype::Generic,
        BinarySubtype::Uuid,
        BinarySubtype::UuidOld,
        BinarySubtype::UserDefined(200),
    ];
    let leaf = prop_oneof![
        Just(Bson::Null),
        Just(Bson::Undefined),
        Just(Bson::MinKey),
        Just(Bson::MaxKey),
        any::<bool>().prop_map(Bson::from),
        any::<i32>().prop_map(Bson::from),
        any::<i64>().prop_map(Bson::from),
        any::<f64>().prop_map(Bson::from),
        texts().prop_map(Bson::from),
        any::<String>().prop_map(Bson::Symbol),
        any::<i64>().prop_map(|millis| bson::DateTime::from_millis(millis).into()),
        any::<[u8; 12]>().prop_map(|bytes| bson::oid::ObjectId::from_bytes(bytes).into()),
        any::<[u8; 16]>().prop_map(|bytes| bson::Decimal128::from_bytes(bytes).into()),
        any::<(u32, u32)>().prop_map(|(time, increment)| bson::Timestamp { time, increment }.into()),
        (prop::sample::select(subtypes.to_vec()), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(subtype, bytes)| Bson::Binary(bson::Binary { subtype, bytes })),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Bson::from),
            prop::collection::vec((names(true), inner), 0..5)
                .prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}
