use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_kernel::DispenseId;
use mongodb::{Client, Collection};
use serde_json::Value;

use esoz_testkit::contract::RawDispenses;

/// The documents of a MongoDB database of ours.
pub struct MongoDocuments {
    collection: Collection<Document>,
}

impl MongoDocuments {
    /// The documents of that database.
    pub async fn new(uri: &str, database: &str) -> Self {
        let client = Client::with_uri_str(uri).await.unwrap();
        Self::of(client.database(database).collection("device_dispenses"))
    }

    /// The documents of that collection.
    pub fn of(collection: Collection<Document>) -> Self {
        Self { collection }
    }

    /// The stored document, with the kinds of its values.
    pub async fn bson(&self, id: DispenseId) -> Document {
        self.collection
            .find_one(by_id(id))
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("there is no dispense {id}"))
    }

    /// Every document of every collection of the database, byte by byte, in hexadecimal and as text: what is the same before and after was not
    /// written, and what is stored can be searched for.
    pub async fn dump(&self) -> Vec<String> {
        let database = self.collection.client().database(&self.collection.namespace().db);
        let mut names = database.list_collection_names().await.unwrap();
        names.sort();
        let mut rows = Vec::new();
        for name in names {
            let documents = database.collection::<RawDocumentBuf>(&name);
            let mut cursor = documents.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap();
            while cursor.advance().await.unwrap() {
                let bytes = cursor.current().as_bytes();
                rows.push(format!("{name}: {} {}", hex::encode(bytes), String::from_utf8_lossy(bytes)));
            }
        }
        rows
    }

    /// These fields of every stored document, with the kinds of their values, and always `_id`.
    pub async fn all(&self, fields: &[&str]) -> Vec<Document> {
        let projection: Document = fields.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect();
        let mut found = self.collection.find(doc! {}).projection(projection).await.unwrap();
        let mut all = Vec::new();
        while found.advance().await.unwrap() {
            all.push(found.deserialize_current().unwrap());
        }
        all
    }

    /// Drops an index.
    pub async fn drop_index(&self, name: &str) {
        self.collection.drop_index(name).await.unwrap();
    }

    /// Makes a change to the stored document, if it has these fields; whether it had.
    ///
    /// # Errors
    /// When MongoDB does not say what became of it.
    pub async fn change(&self, id: DispenseId, fields: Document, change: Document) -> Result<bool, String> {
        let mut filter = by_id(id);
        filter.extend(fields);
        let changed = self.collection.update_one(filter, change).await.map_err(|error| error.to_string())?;
        Ok(changed.matched_count == 1)
    }

    /// Sets fields of the stored document, named by their paths.
    pub async fn set(&self, id: DispenseId, fields: Document) {
        let updated = self.collection.update_one(by_id(id), doc! {"$set": fields}).await.unwrap();
        assert_eq!(updated.matched_count, 1, "there is no dispense {id}");
    }
}

/// Runs one command against the database `admin`, as the user of that connection string.
///
/// # Errors
/// What MongoDB, or the driver, says against it.
pub async fn admin_command(uri: &str, command: Document) -> Result<Document, String> {
    let client = Client::with_uri_str(uri).await.map_err(|error| error.to_string())?;
    client.database("admin").run_command(command).await.map_err(|error| error.to_string())
}

fn by_id(id: DispenseId) -> Document {
    doc! {"_id": bson::Uuid::from_bytes(id.uuid().into_bytes())}
}

#[async_trait]
impl RawDispenses for MongoDocuments {
    async fn document(&self, id: DispenseId) -> Value {
        Bson::Document(self.bson(id).await).into_relaxed_extjson()
    }

    async fn set_field(&self, id: DispenseId, field: &str, value: Value) {
        self.set(id, doc! {field: Bson::try_from(value).unwrap()}).await;
    }
}
