#![doc = include_str!("../README.md")]

mod model;
mod operations;
mod ports;

pub use esoz_kernel::Pseudonym;
pub use model::create::{
    AnyReference, CreateFacts, CreatePolicy, CreateRefusal, Faults, Named, NewDetail, NewDevice, NewDispense,
    RequestFacts,
};
pub use model::dispense::{Dispense, RecordFields, StoredDispense};
pub use model::fields::{
    CODEABLE_CONCEPT, Field, FieldKind, ObjectType, Presence, RECORD, REFERENCE, RESOURCES, is_internal,
    kind_of,
};
pub use model::filter::{
    Filter, SEARCH_PARAMETERS, Search, SearchKind, SearchParameter, SearchValue, TimeRange,
};
pub use model::patient_id::{HOLDS_PATIENT_ID, PatientIdSearch};
pub use model::request::{
    DeviceRequest, DeviceRequestStatus, OccurrencePeriod, RequestedDevice, RequestedQuantity,
    VerificationCode,
};
pub use model::rules::{NotVisible, concerns, visible};
pub use model::signed::{
    ChangeRefusal, CompleteFacts, DocumentError, MAX_NOTE_CHARS, MarkInErrorFacts, SignedChange,
    SignedDispense,
};
pub use model::status::{DispenseStatus, TRANSITIONS, TransitionRule, Trigger, UnknownStatus};
pub use operations::*;
pub use ports::{
    Access, Basis, Cause, Change, Create, DEVICE_REQUEST, DecideChange, DecideCreate, DeviceDispenses,
    DeviceRequestRecord, DispenseFacts, DispenseRegistry, DispenseUpdate, DispenseWrites, EncodedDispense,
    InvalidPseudonym, Overdue, OverdueFilter, PatientAccess, PatientPseudonyms, PseudonymFingerprint,
    PseudonymFingerprints, RequestQuery, StaticPatientAccess, Transition,
};

#[cfg(any(test, feature = "mock"))]
pub use ports::{
    MockDeviceDispenses, MockDispenseRegistry, MockDispenseWrites, MockPatientAccess, MockPatientPseudonyms,
};
