//! Who a certificate says the signer is.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::SERIAL_NUMBER;
use der::{Any, Tag, Tagged as _};
use esoz_signed_content::Drfo;

use crate::certificate::Cert;

/// The taxpayer number in Ukrainian certificates.
pub(crate) const UA_DRFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.804.2.1.1.1.11.1.4.1.1");

/// The number of an organisation in Ukrainian certificates.
pub(crate) const UA_EDRPOU: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.804.2.1.1.1.11.1.4.2.1");

/// The attribute of a subject that holds the number of its organisation (ITU-T X.520).
const ORGANIZATION_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.97");

/// What stands before a Ukrainian number of a person (EN 319 412-1, section 5.1.3): of a taxpayer, in two spellings, in the register of persons, of
/// a passport, of an identity card. A number of another country keeps its prefix, and so never equals a Ukrainian one.
const PERSON_PREFIXES: [&str; 5] = ["TINUA-", "TAXUA-", "PNOUA-", "PASUA-", "IDCUA-"];

/// What stands before the number of a Ukrainian organisation in the trade register (EN 319 412-1, section 5.1.4).
const ORGANISATION_PREFIX: &str = "NTRUA-";

/// The taxpayer number: the Ukrainian attribute, else `serialNumber` of the subject.
pub(crate) fn drfo(cert: &Cert) -> Option<Drfo> {
    let text = match value(cert, UA_DRFO) {
        Found::Nowhere => value(cert, SERIAL_NUMBER).text()?,
        found => found.text()?,
    };
    let text = text.trim();
    let number = PERSON_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    Drfo::parse(number)
}

/// The number of the organisation: the Ukrainian attribute, else `organizationIdentifier` of the subject.
pub(crate) fn edrpou(cert: &Cert) -> Option<String> {
    let text = match value(cert, UA_EDRPOU) {
        Found::Nowhere => value(cert, ORGANIZATION_IDENTIFIER).text()?,
        found => found.text()?,
    };
    let text = text.trim();
    let number = text.strip_prefix(ORGANISATION_PREFIX).unwrap_or(text);
    (!number.is_empty()).then(|| number.to_owned())
}

/// An attribute of the subject or of the extension `subjectDirectoryAttributes`.
enum Found {
    Nowhere,
    Once(String),
    /// In an unknown form, or with several values: nobody knows which one is meant.
    Unclear,
}

impl Found {
    fn text(self) -> Option<String> {
        if let Self::Once(text) = self { Some(text) } else { None }
    }
}

fn value(cert: &Cert, attribute: ObjectIdentifier) -> Found {
    let of_subject = cert.certificate.tbs_certificate.subject.0.iter().flat_map(|name| name.0.iter());
    let of_subject = of_subject.filter(|it| it.oid == attribute).map(|it| &it.value);
    let of_directory = cert.directory_attributes.iter();
    let of_directory = of_directory.filter(|it| it.oid == attribute).flat_map(|it| it.values.iter());
    let mut values = of_subject.chain(of_directory).map(text);
    match values.next() {
        None => Found::Nowhere,
        Some(Some(first)) if values.all(|other| other.as_ref() == Some(&first)) => Found::Once(first),
        Some(_) => Found::Unclear,
    }
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::NumericString | Tag::Ia5String | Tag::VisibleString => {
            String::from_utf8(value.value().to_vec()).ok()
        }
        Tag::BmpString => {
            let units = value.value().chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}
