use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Why a text is no id. Does not repeat the text, which came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID")]
pub struct IdError;

/// Parses a UUID in its hyphenated form of 36 characters, in either case (conventions, "Time, ids, limits").
///
/// Braces, URNs and forms without hyphens are refused: ESOZ never writes them.
pub fn parse_uuid(text: &str) -> Result<Uuid, IdError> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH {
        Uuid::try_parse(text).map_err(|_| IdError)
    } else {
        Err(IdError)
    }
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// Parsed from the hyphenated form in either case, rendered lower-case.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates the id from its UUID.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID, for a boundary that stores or sends it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_uuid(text).map(Self)
            }
        }
    )+};
}

macro_rules! shown_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        typed_ids! { $($(#[$doc])* $name;)+ }

        $(
            impl fmt::Debug for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(formatter, concat!(stringify!($name), "({})"), self.0)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(&self.0, formatter)
                }
            }
        )+
    };
}

shown_ids! {
    /// A user of ESOZ.
    UserId;
    /// A client of ESOZ: the organisation that a token or an api key was issued to.
    ClientId;
    /// A legal entity: a clinic, a pharmacy, the national health service.
    LegalEntityId;
    /// A device dispense.
    DispenseId;
    /// A division: a place where a legal entity delivers.
    DivisionId;
    /// A contract between the national health service and a legal entity.
    ContractId;
    /// A contract division: a place of delivery of a contract.
    ContractDivisionId;
    /// A device request: what a doctor prescribes.
    DeviceRequestId;
    /// An employee: a person's post at a legal entity.
    EmployeeId;
    /// A party: the person behind users and employees.
    PartyId;
    /// A medical program, which pays for what is dispensed.
    MedicalProgramId;
    /// A device definition: a product with its packaging.
    DeviceDefinitionId;
    /// A program device: a device definition in a medical program, with what the program pays for it.
    ProgramDeviceId;
    /// An event; the key by which consumers drop duplicates.
    EventId;
}

typed_ids! {
    /// A patient. Never stored, never logged: it has no `Display`, and its `Debug` hides it.
    /// [`PatientId::uuid`] is for the answer to the caller who named the patient.
    PatientId;
}

crate::opaque_debug!(PatientId);

impl From<ClientId> for LegalEntityId {
    /// A client id *is* the id of the legal entity that the user acts for (conventions, "Who calls").
    fn from(client: ClientId) -> Self {
        Self(client.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_either_case_and_rendered_lower_case() {
        let id: DispenseId = "AFF00BF6-68BF-4B49-B66D-F031D48922B3".parse().unwrap();
        assert_eq!(id.to_string(), "aff00bf6-68bf-4b49-b66d-f031d48922b3");
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        for text in ["", "aff00bf668bf4b49b66df031d48922b3", "{aff00bf6-68bf-4b49-b66d-f031d48922b3}", "abc"]
        {
            assert_eq!(text.parse::<DispenseId>(), Err(IdError), "{text}");
        }
    }

    #[test]
    fn a_patient_id_hides_from_debug() {
        let id: PatientId = "aff00bf6-68bf-4b49-b66d-f031d48922b3".parse().unwrap();
        assert_eq!(format!("{id:?}"), "PatientId(…)");
    }
}
