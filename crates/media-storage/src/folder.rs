//! Containers as files of a folder.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use esoz_https::SettingsError;
use esoz_kernel::StoreError;
use esoz_signed_content::MediaKey;
use jiff::civil::Date;
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;

use crate::error::MediaError;
use crate::{FolderSettings, MAX_CONTAINER_BYTES};

/// Where files are written before they appear under their keys. Its presence shows that the folder is the one that was opened, and no empty mount
/// point.
const INCOMING: &str = ".incoming";

/// What a check writes: the room that a request needs.
const CHECK_BYTES: usize = 1 << 20;

/// The folder. Its operations run on the blocking pool, at most so many at once, also when the file system hangs.
pub(crate) struct Folder {
    path: PathBuf,
    name: String,
    timeout_ms: u64,
    slots: Arc<Semaphore>,
}

impl Folder {
    /// Creates the folder unless it is there, and removes what killed processes left half written.
    pub(crate) fn open(settings: &FolderSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let unusable = |path: &Path, error: io::Error| {
            SettingsError::new(
                "path",
                format!("cannot be used as media storage: {}: {error}", path.display()),
            )
        };
        let path = std::path::absolute(&settings.path).map_err(|error| unusable(&settings.path, error))?;
        prepare(&path).map_err(|error| unusable(&path, error))?;
        Ok(Self {
            name: format!("folder {}", path.display()),
            path,
            timeout_ms: settings.timeout_ms,
            slots: Arc::new(Semaphore::new(settings.max_concurrent_operations)),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs an operation on the blocking pool. Its slot is free when it ends, not when its time is over.
    async fn run<T: Send + 'static>(
        &self,
        attempted: &str,
        operation: impl FnOnce(&Path) -> Result<T, MediaError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (slots, path) = (Arc::clone(&self.slots), self.path.clone());
        let limited = async {
            let slot = slots.acquire_owned().await.map_err(|_| MediaError::TimedOut(self.timeout_ms))?;
            let running = tokio::task::spawn_blocking(move || {
                let _slot = slot;
                operation(&path)
            });
            running.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(Duration::from_millis(self.timeout_ms), limited)
            .await
            .unwrap_or(Err(MediaError::TimedOut(self.timeout_ms)))
            .map_err(|error| error.during(attempted, &self.name))
    }

    pub(crate) async fn put(
        &self,
        attempted: &str,
        key: &MediaKey,
        container: &[u8],
    ) -> Result<(), StoreError> {
        let (key, container) = (key.to_string(), container.to_owned());
        self.run(attempted, move |root| put(root, &root.join(key), &container)).await
    }

    pub(crate) async fn get(&self, attempted: &str, key: &MediaKey) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_string();
        self.run(attempted, move |root| match read(&root.join(key)) {
            Err(error) if is_absence(&error) => require(root).map(|()| None),
            content => content.map(Some),
        })
        .await
    }

    pub(crate) async fn delete(&self, attempted: &str, key: &MediaKey) -> Result<(), StoreError> {
        let key = key.to_string();
        self.run(attempted, move |root| {
            let path = root.join(key);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => require(root),
                removed => Ok(removed.and_then(|()| path.parent().map_or(Ok(()), sync))?),
            }
        })
        .await
    }

    pub(crate) async fn list(
        &self,
        attempted: &str,
        day: Date,
        after: Option<&MediaKey>,
        limit: usize,
    ) -> Result<Vec<MediaKey>, StoreError> {
        let after = after.cloned();
        self.run(attempted, move |root| list(root, day, after.as_ref(), limit)).await
    }

    /// Writes a file of [`CHECK_BYTES`] and removes it.
    pub(crate) async fn check(&self, attempted: &str) -> Result<(), StoreError> {
        self.run(attempted, |root| {
            let mut file = incoming(root)?;
            file.write_all(&vec![0; CHECK_BYTES])?;
            Ok(file.close()?)
        })
        .await
    }
}

/// Creates the folder and the one inside it. No parents: a mistyped path must not become a storage.
fn prepare(root: &Path) -> io::Result<()> {
    let incoming = root.join(INCOMING);
    for folder in [root, &incoming] {
        create_folder(folder)?;
        folder.parent().map_or(Ok(()), sync)?;
    }
    for entry in fs::read_dir(incoming)? {
        let path = entry?.path();
        // Whoever still writes a file holds its lock.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            remove_if_present(&path)?;
        }
    }
    Ok(())
}

fn create_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_absence(error: &MediaError) -> bool {
    matches!(error, MediaError::Io(error) if error.kind() == ErrorKind::NotFound)
}

/// Fails when the folder is not there: nothing is absent from a storage that is away.
fn require(root: &Path) -> Result<(), MediaError> {
    Ok(fs::metadata(root.join(INCOMING)).map(drop)?)
}

/// Creates a file (mode 0600) that is locked, so that another process that starts now leaves it alone, and removed when dropped.
fn incoming(root: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().tempfile_in(root.join(INCOMING))?;
    match file.as_file().try_lock() {
        // A file system without locks: then no other process can take it for left behind either.
        Ok(()) | Err(_) => Ok(file),
    }
}

fn put(root: &Path, path: &Path, container: &[u8]) -> Result<(), MediaError> {
    let mut file = incoming(root)?;
    file.write_all(container)?;
    file.as_file().sync_all()?;
    // The folders of the dispense and of the day, from the innermost.
    let folders: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| *folder != root).collect();
    for folder in folders.iter().rev() {
        create_folder(folder)?;
    }
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => MediaError::Taken,
        _ => error.error.into(),
    })?;
    // Each time all of them: another call may have created one, and not be done.
    for folder in folders.into_iter().chain([root]) {
        sync(folder)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, MediaError> {
    let mut content = Vec::new();
    let limit = u64::try_from(MAX_CONTAINER_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > MAX_CONTAINER_BYTES { Err(MediaError::TooLarge) } else { Ok(content) }
}

fn list(root: &Path, day: Date, after: Option<&MediaKey>, limit: usize) -> Result<Vec<MediaKey>, MediaError> {
    require(root)?;
    let folder = root.join(day.to_string());
    let mut keys = Vec::new();
    // Ids in their one spelling are in the order of their texts.
    for dispense in names(&folder, fs::FileType::is_dir)? {
        if keys.len() >= limit {
            break;
        }
        if after.is_some_and(|after| after.day() == day && dispense < after.dispense().to_string()) {
            continue;
        }
        let containers = names(&folder.join(&dispense), fs::FileType::is_file)?.into_iter();
        let of_dispense = containers.filter_map(|name| format!("{day}/{dispense}/{name}").parse().ok());
        keys.extend(of_dispense.filter(|key| after.is_none_or(|after| key > after)));
    }
    keys.truncate(limit);
    Ok(keys)
}

/// The names of one kind in a folder, in ascending order; none when the folder is not there.
fn names(folder: &Path, is_wanted: fn(&fs::FileType) -> bool) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        if is_wanted(&entry.file_type()?)
            && let Ok(name) = entry.file_name().into_string()
        {
            names.insert(name);
        }
    }
    Ok(names)
}
