//! The page about the files of an import and an export, from the tables by which lines are read.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use esoz_device_dispense::{Field, FieldKind, ObjectType, Presence, RECORD};
use esoz_import::{
    EXAMPLES, ImportLimits, LineField, LineFieldKind, LinePresence, RecordKind, STAMP_FIELDS, line_fields,
};
use serde_json::Value;

/// What stands before the kinds.
const INTRODUCTION: &str = "\
# Import and export files

`esoz import FILE…` reads records and `esoz export` writes them, in one format: NDJSON, in UTF-8. Each line is a JSON object with the kind of a record and its data: `{\"kind\": \"legal_entity\", \"data\": {…}}`.

The kinds are listed below in the order in which they can be imported; an export writes them in this order. Every field is described, and every kind has an example. The examples are broken into lines to be read: in a file each is one line (`jq -c .` joins it).

## Check, import, export

```sh
esoz import --dry-run records.ndjson
esoz import records.ndjson
esoz export > all.ndjson
```

All three work while servers run. [Command line](command-line.md#esoz-import) has every option.

- A **dry run** checks every line as an import does and writes nothing: format, limits, and whether what a record refers to is in the file before it or in the store. It prints how many records of each kind are valid. It cannot tell which of them exist already. It does not find what only a write finds: another active contract division with the same contract and division, or another party with the same user. It needs a store that exists (`esoz migrate` creates one).
- An **import** can be repeated. Dispenses and contract divisions that exist stay as they are, a completed device request is not reopened, and every other record takes the content of the line; its `inserted_at` and `inserted_by` stay.
- An **export** writes each record as it was at some time while it ran, ordered by kind and then by id, fields in the order of their names. An export of an import is the same text. Do not import meanwhile. It has no tokens, api keys, blocks, audit log, event log, undelivered events and idempotency records.

## What is printed, and the exit code

Standard output gets one summary for each file, `--json` makes it JSON:

- an import: lines, bad lines, and how many records of each kind were created, updated or kept (they were there with the same content, or stay as they are);
- a dry run: lines, bad lines, and how many records of each kind are valid.

Standard error gets one line for each bad line: the file, the number of the line, the field (`$.data.name`) and what was expected there, never the value, which may be a patient's. A bad line does not stop an import: the others are stored. For a misspelt `kind` the nearest one is suggested.

| exit code | meaning |
|---|---|
| 0 | every line is good |
| 1 | there are bad lines, and the good ones are stored (a dry run: nothing is); or a file could not be read, or a store failed: the text says at which line. Import the same file again |
| 2 | the command line is invalid |

An export fails with exit code 1 if a record cannot be read, or if an import would refuse it; everything readable is written all the same.

## Order

A record comes behind what it refers to: legal entities before divisions, contracts and employees; divisions and contracts before contract divisions; parties before employees; medical programs and device definitions before program devices. Kinds may be interleaved. A reference to what is not there is refused. What persons, device requests and dispenses refer to is not checked.

A user belongs to one party at most. To move a user, put the party that gives it up before the one that takes it.

## Patients and taxpayer numbers

No store has a patient's UUID or a taxpayer number. The `id` of a person and the `patient_id` of a device request or a dispense become a pseudonym, the `tax_id` of a party becomes a keyed digest, both made with the configured patient secret. A line with the patient's UUID in another field is refused. A taxpayer number is compared without blanks, in upper case, and Cyrillic letters of a passport's series as the Latin ones that look like them.

An export writes the pseudonym as `subject` where the scheme cannot tell the patient (`patient.pseudonym = \"hmac-sha256\"`; with `\"aes-128-cbc\"` it writes the patient), and always the digest as `tax_id_digest`. `esoz import --pseudonymous` takes such lines, into a store with the same patient secret; lines with a patient or a number are taken as well. A line with both is refused.

## Formats

- An unknown field is refused, at every level, since it may be misspelt; so is a field that stands twice. `--keep-unknown` stores unknown fields of a dispense as they are, but for names that only the service writes (`_id`, `esoz_…`) and for values with the patient's UUID in them.
- A **UUID** is taken in either case. A **time** is ISO 8601 with an offset, of the years 0000 to 9999; it is kept in UTC, in milliseconds for dispenses and device requests and in microseconds for all others: finer digits are cut off. A **day** is `YYYY-MM-DD`.
- **Text** of a dispense may be any text; elsewhere it is not empty and has no NUL in it.
- A **number** is kept with every digit: as an integer of 64 bits, or as a double whose shortest decimal form has the same value. One that would be rounded is refused.
- A **Reference** has exactly one coding, of the system `eHealth/resources`, with the code that stands in its row. A **CodeableConcept** has at least one coding.
- An optional field may be null. A dispense keeps the null.
- What is stored without interpretation (**any JSON**) has at most 32 levels, and no name in it begins with `$`.
";

/// Writes the page.
pub(crate) fn page() -> Result<String> {
    let mut page = String::from(INTRODUCTION);
    let ImportLimits { max_line_bytes, max_batch_records, max_batch_bytes, .. } = ImportLimits::default();
    write!(
        page,
        "\n## Limits\n\nA line has at most {max_line_bytes} bytes; `--max-line-bytes` raises it, up to 268435456. A longer line is a bad line. A file may be of any size: \
         up to {max_batch_records} records, or about {max_batch_bytes} bytes of them, are stored together while the next are read.\n\n\
         ## Fields of every kind\n\nEvery kind can have these; a line without `updated_at` counts as updated whenever it is imported again.\n"
    )?;
    table(&mut page, STAMP_FIELDS)?;
    let mut examples = EXAMPLES.lines();
    for kind in RecordKind::ALL {
        write!(page, "\n## `{kind}`\n")?;
        table(&mut page, line_fields(kind))?;
        let example: Value = serde_json::from_str(examples.next().context("an example")?)?;
        write!(page, "\n```json\n{}\n```\n", laid_out(kind, example)?)?;
    }
    page.push_str("\n## Objects in a dispense\n");
    let mut objects = Vec::new();
    collect(&RECORD, &mut objects);
    for object in objects {
        write!(page, "\n### {}\n\n{}\n\n{HEAD}", object.name, object.meaning)?;
        for field in object.fields {
            let presence = match field.presence {
                Presence::Always | Presence::NotNull | Presence::Expected => String::from("yes"),
                Presence::Optional => String::new(),
                Presence::Alternative => alternative(object, field)?,
            };
            row(&mut page, field.name, &dispense_kind(field.kind), &presence, field.meaning)?;
        }
    }
    Ok(page)
}

/// The head of a table of fields.
const HEAD: &str = "| field | holds | required | meaning |\n|---|---|---|---|\n";

fn table(page: &mut String, fields: impl IntoIterator<Item = LineField>) -> Result<()> {
    write!(page, "\n{HEAD}")?;
    fields.into_iter().try_for_each(|field| rows(page, "", &field))
}

/// Writes the row of a field, and those of the fields in it.
fn rows(page: &mut String, parent: &str, field: &LineField) -> Result<()> {
    let name = format!("{parent}{}", field.name);
    let presence = match field.presence {
        LinePresence::Required => String::from("yes"),
        LinePresence::Optional => String::new(),
        LinePresence::Or(other) => format!("this or `{other}`"),
    };
    row(page, &name, &kind(field.kind), &presence, field.meaning)?;
    if let LineFieldKind::Object(fields) = field.kind {
        for field in fields {
            rows(page, &format!("{name}."), field)?;
        }
    }
    Ok(())
}

fn row(page: &mut String, name: &str, holds: &str, presence: &str, meaning: &str) -> Result<()> {
    Ok(writeln!(page, "| `{name}` | {holds} | {presence} | {meaning} |")?)
}

fn kind(kind: LineFieldKind) -> String {
    match kind {
        LineFieldKind::Uuid => String::from("UUID"),
        LineFieldKind::Uuids => String::from("list of UUIDs"),
        LineFieldKind::Text => String::from("text"),
        LineFieldKind::Boolean => String::from("boolean"),
        LineFieldKind::Number => String::from("number"),
        LineFieldKind::Day => String::from("day"),
        LineFieldKind::Time => String::from("time"),
        LineFieldKind::Words(words) => {
            words().iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        LineFieldKind::Object(_) => String::from("object"),
        LineFieldKind::Dispense(kind) => dispense_kind(kind),
    }
}

fn dispense_kind(kind: FieldKind) -> String {
    let link = |object: &ObjectType| format!("[{}](#{})", object.name, object.name.to_lowercase());
    match kind {
        FieldKind::Text => String::from("text"),
        FieldKind::Boolean => String::from("boolean"),
        FieldKind::Number => String::from("number"),
        FieldKind::Time => String::from("time"),
        FieldKind::Uuid => String::from("UUID"),
        FieldKind::Status => String::from("[status](status-model.md)"),
        FieldKind::Any => String::from("any JSON"),
        FieldKind::List(object) => format!("list of {}", link(object)),
        FieldKind::Reference(Some(code)) => format!("[Reference](#reference) to `{code}`"),
        FieldKind::Reference(None) | FieldKind::CodeableConcept | FieldKind::Object(_) => {
            kind.object().map(link).unwrap_or_default()
        }
    }
}

/// The other fields of the object of which exactly one must be there.
fn alternative(object: &ObjectType, field: &Field) -> Result<String> {
    let is_other = |other: &&Field| other.presence == Presence::Alternative && other.name != field.name;
    let other = object.fields.iter().find(is_other).context("an alternative")?;
    Ok(format!("this or `{}`", other.name))
}

/// Collects the types of the objects in an object, at every depth, each once.
fn collect(object: &'static ObjectType, found: &mut Vec<&'static ObjectType>) {
    for inner in object.fields.iter().filter_map(|field| field.kind.object()) {
        if !found.iter().any(|known| known.name == inner.name) {
            found.push(inner);
            collect(inner, found);
        }
    }
}

/// Lays a line out with one field of its data on each line, in the order of the table.
fn laid_out(kind: RecordKind, mut line: Value) -> Result<String> {
    // One order, whatever features serde_json is built with.
    line.sort_all_objects();
    let data = line.get("data").and_then(Value::as_object).context("the data")?;
    let names = line_fields(kind).into_iter().chain(STAMP_FIELDS).map(|field| field.name);
    let fields = names.filter_map(|name| Some(format!("    \"{name}\": {}", data.get(name)?)));
    let fields: Vec<String> = fields.collect();
    Ok(format!("{{\n  \"kind\": \"{kind}\",\n  \"data\": {{\n{}\n  }}\n}}", fields.join(",\n")))
}
