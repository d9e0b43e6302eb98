//! Registries over HTTP, as another system would keep them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use esoz_import::JsonRecord;
use esoz_pseudonym::HmacSha256Pseudonyms;
use esoz_testkit::registries::RegistryFixture;
use serde_json::{Map, Value, json};

use crate::PATIENT_KEY;

/// The token that the registries want.
const TOKEN: &str = "a-token-of-the-registries";

/// Registries that hold the records of a fixture. They serve until the test ends.
pub struct RegistryServer {
    url: String,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    /// What is answered to which method and path.
    records: Mutex<Vec<(String, Map<String, Value>)>>,
    is_down: AtomicBool,
}

impl RegistryServer {
    /// Begins to serve, with nothing there.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let held = Arc::<Held>::default();
        let registries = held.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                registries.answer(stream);
            }
        });
        Self { url, held }
    }

    /// The environment of a server that asks these kinds of them, and caches nothing.
    pub fn variables(&self, kinds: &str) -> [(&'static str, String); 5] {
        [
            ("ESOZ_REGISTRIES__SOURCE", "http".to_owned()),
            ("ESOZ_REGISTRIES__URL", self.url.clone()),
            ("ESOZ_REGISTRIES__TOKEN", TOKEN.to_owned()),
            ("ESOZ_REGISTRIES__KINDS", kinds.to_owned()),
            ("ESOZ_REGISTRIES__CACHE_TTL_MS", "0".to_owned()),
        ]
    }

    /// From now on they hold these records, and no others.
    pub fn hold(&self, fixture: &RegistryFixture) {
        fn written(record: &impl JsonRecord) -> Map<String, Value> {
            record.to_json(&HmacSha256Pseudonyms::try_new(PATIENT_KEY).unwrap()).unwrap()
        }
        let devices = [
            ("program_devices".to_owned(), json!([written(&fixture.device)])),
            ("device_definitions".to_owned(), json!([written(&fixture.definition)])),
        ];
        let by_id = |kind: &str, record: Map<String, Value>| {
            (format!("GET /api/{kind}/{}", record["id"].as_str().unwrap()), record)
        };
        *self.held.records.lock().unwrap() = vec![
            by_id("legal_entities", written(&fixture.legal_entity)),
            by_id("divisions", written(&fixture.division)),
            by_id("employees", written(&fixture.employee)),
            by_id("medical_programs", written(&fixture.program)),
            by_id("device_definitions", written(&fixture.definition)),
            ("POST /api/persons/search".to_owned(), written(&fixture.person)),
            ("POST /api/parties/search".to_owned(), written(&fixture.party)),
            ("POST /api/program_devices/search".to_owned(), devices.into_iter().collect()),
        ];
    }

    /// From now on they close every connection without an answer, or answer again.
    pub fn set_down(&self, is_down: bool) {
        self.held.is_down.store(is_down, Ordering::SeqCst);
    }
}

impl Held {
    fn answer(&self, mut stream: TcpStream) {
        if self.is_down.load(Ordering::SeqCst) {
            return;
        }
        let mut request = BufReader::new(stream.try_clone().unwrap());
        let mut head = Vec::new();
        // The head ends with an empty line.
        while !matches!(head.last().map(String::as_str), Some("\r\n" | "")) {
            let mut line = String::new();
            request.read_line(&mut line).unwrap();
            head.push(line);
        }
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        request.read_exact(&mut body).unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, answer) = if header("authorization") == Some(format!("Bearer {TOKEN}")) {
            match self.found(head[0].trim_end().trim_end_matches(" HTTP/1.1"), &asked) {
                Some(data) => ("200 OK", json!({"data": data})),
                None => ("404 Not Found", json!({"error": {"type": "not_found"}})),
            }
        } else {
            ("401 Unauthorized", json!({}))
        };
        let (text, length) = (answer.to_string(), answer.to_string().len());
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
        );
    }

    fn found(&self, line: &str, asked: &Value) -> Option<Value> {
        // A search for nothing that a program could have, as a health check makes it.
        if line == "POST /api/program_devices/search" && asked.get("program_id").is_none() {
            return Some(json!({"program_devices": [], "device_definitions": []}));
        }
        let records = self.records.lock().unwrap();
        let (_, data) = records.iter().find(|(known, _)| known == line)?;
        let is_there = match line {
            "POST /api/persons/search" => data["subject"] == asked["subject"],
            "POST /api/parties/search" => data["users"].as_array().unwrap().contains(&asked["user_id"]),
            _ => true,
        };
        is_there.then(|| Value::Object(data.clone()))
    }
}
