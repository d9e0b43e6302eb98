use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use jsonschema::{Draft, Validator};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::Answer;

/// The published description, as it is committed.
pub const COMMITTED: &str = include_str!("../../docs/openapi.json");

/// The published description, against which every answer is held.
pub static PUBLISHED: LazyLock<Published> =
    LazyLock::new(|| Published::read(&serde_json::from_str(COMMITTED).expect("JSON in docs/openapi.json")));

/// What a path may answer to a verb that it does not take.
const WHATEVER_THE_VERB: [u16; 4] = [405, 431, 500, 503];

/// What the schema of an answer leaves open, since other answers have the same, and the examples of the answer fix.
const AS_IN_AN_EXAMPLE: [&str; 3] = ["/meta/code", "/meta/type", "/error/type"];

/// What the description says about answers. Each is compiled when it is first met: all of them would take longer than most tests, each of which is a
/// process of its own.
pub struct Published {
    document: Value,
    paths: Vec<Path>,
    failure: OnceLock<Validator>,
}

struct Path {
    /// Its segments; `None` for a parameter.
    segments: Vec<Option<String>>,
    /// By the verb, in lower case.
    operations: BTreeMap<String, BTreeMap<u16, Described>>,
}

/// A response as it is described.
struct Described {
    item: Value,
    compiled: OnceLock<Response>,
}

struct Response {
    headers: BTreeMap<String, Validator>,
    content: BTreeMap<String, Content>,
}

struct Content {
    schema: Validator,
    examples: Vec<Value>,
}

impl Published {
    /// Reads a description.
    ///
    /// # Panics
    /// When a status is none, or a reference leads nowhere.
    pub fn read(document: &Value) -> Self {
        let paths = object(&document["paths"]).map(|(path, item)| Path {
            segments: path
                .split('/')
                .map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned()))
                .collect(),
            operations: object(item)
                .map(|(verb, operation)| (verb.clone(), responses(document, operation)))
                .collect(),
        });
        Self { paths: paths.collect(), document: document.clone(), failure: OnceLock::new() }
    }

    /// Compiles all of them.
    ///
    /// # Panics
    /// When one of the schemas is none.
    pub fn compile(&self) {
        let operations = self.paths.iter().flat_map(|path| path.operations.values());
        operations.flat_map(BTreeMap::values).for_each(|response| {
            response.compiled(&self.document);
        });
        self.failure();
    }

    fn failure(&self) -> &Validator {
        let schema = json!({"$ref": "#/components/schemas/Failure"});
        self.failure.get_or_init(|| validator(&self.document, &schema))
    }

    /// Holds an answer against what is described for its path, verb and status: its content type, its headers and its whole body, whose
    /// status and types are those of one of the examples.
    /// At a path that is not described, and for a verb that is not, only a refusal will do.
    ///
    /// # Errors
    /// What about it is not as described.
    pub fn check(&self, answer: &Answer) -> Result<(), String> {
        let Answer { method, status, url, .. } = answer;
        let asked = format!("{method} {url} answered {status}");
        let Some(path) = self.paths.iter().find(|path| path.is(url)) else {
            let is_refusal = status.is_client_error() || status.is_server_error();
            fits(self.failure(), &answer.body)
                .and_then(|()| if is_refusal { Ok(()) } else { Err("and is no refusal".to_owned()) })
                .map_err(|fault| format!("{asked}, which nothing describes: {fault}"))?;
            return header(answer, "x-request-id").map(drop);
        };
        let response = path.response(method, status.as_u16());
        let response = response.ok_or_else(|| format!("{asked}, which is not described"))?;
        response
            .compiled(&self.document)
            .check(answer)
            .map_err(|fault| format!("{asked}, and not as described: {fault}\n{:#}", answer.body))
    }
}

impl Path {
    fn is(&self, url: &str) -> bool {
        let url: Url = url.parse().expect("a URL");
        let mut asked = url.path().split('/');
        let fits = |segment: &Option<String>| match (asked.next(), segment) {
            (Some(asked), Some(segment)) => asked == segment,
            (Some(asked), None) => !asked.is_empty(),
            (None, _) => false,
        };
        self.segments.iter().all(fits) && asked.next().is_none()
    }

    /// A verb that the path does not take is described by the operation that refuses it.
    fn response(&self, method: &Method, status: u16) -> Option<&Described> {
        match self.operations.get(&method.as_str().to_lowercase()) {
            Some(responses) => responses.get(&status),
            None if !WHATEVER_THE_VERB.contains(&status) => None,
            None => self.operations.values().find_map(|responses| responses.get(&status)),
        }
    }
}

impl Described {
    fn compiled(&self, document: &Value) -> &Response {
        self.compiled.get_or_init(|| {
            let headers = object(&self.item["headers"]);
            let content = object(&self.item["content"]).map(|(name, content)| {
                let examples = object(&content["examples"]).map(|(_, example)| example["value"].clone());
                let schema = validator(document, &content["schema"]);
                (name.clone(), Content { schema, examples: examples.collect() })
            });
            Response {
                headers: headers
                    .map(|(name, header)| (name.clone(), validator(document, &header["schema"])))
                    .collect(),
                content: content.collect(),
            }
        })
    }
}

impl Response {
    fn check(&self, answer: &Answer) -> Result<(), String> {
        for (name, shape) in &self.headers {
            let text = header(answer, name)?;
            let number = text.parse::<u64>().ok().map(Value::from);
            let fits_one =
                fits(shape, &json!(text)).is_ok() || number.is_some_and(|number| shape.is_valid(&number));
            if !fits_one {
                return Err(format!("header {name} is {text:?}"));
            }
        }
        let content_type = header(answer, "content-type")?;
        let Content { schema, examples } =
            self.content.get(content_type).ok_or_else(|| format!("its content type is {content_type}"))?;
        fits(schema, &answer.body)?;
        let open = |body: &Value| AS_IN_AN_EXAMPLE.map(|place| body.pointer(place).cloned());
        let found = open(&answer.body);
        if examples.is_empty() || examples.iter().any(|example| open(example) == found) {
            return Ok(());
        }
        Err(format!("no example has {AS_IN_AN_EXAMPLE:?} as {found:?}"))
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Result<&'a str, String> {
    let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| format!("it has no header {name}"))
}

fn fits(shape: &Validator, value: &Value) -> Result<(), String> {
    let faults: Vec<String> = shape
        .iter_errors(value)
        .map(|fault| format!("{fault} (at {:?})", fault.instance_path().as_str()))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn responses(document: &Value, operation: &Value) -> BTreeMap<u16, Described> {
    let described = |item| Described { item: resolved(document, item).clone(), compiled: OnceLock::new() };
    object(&operation["responses"])
        .map(|(status, item)| (status.parse().expect("a status"), described(item)))
        .collect()
}

/// What a reference leads to; what is none is itself.
///
/// # Panics
/// When it leads nowhere.
pub fn resolved<'a>(document: &'a Value, item: &'a Value) -> &'a Value {
    let Some(reference) = item["$ref"].as_str() else { return item };
    document.pointer(reference.trim_start_matches('#')).expect("a reference that leads somewhere")
}

/// The schema as part of its document, whose components it refers to.
fn validator(document: &Value, schema: &Value) -> Validator {
    let rooted = json!({"allOf": [schema], "components": document["components"]});
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.build(&rooted).expect("a JSON schema")
}
