//! Files: their modes, what is left half written, and a folder that cannot be used.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use esoz_kernel::StoreErrorKind;
use esoz_media_storage::{FolderSettings, MediaStore};
use esoz_signed_content::MediaStorage as _;
use tempfile::TempDir;

use crate::{CANARY, failures, key};

fn storage() -> (TempDir, PathBuf, MediaStore) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("media");
    let storage = MediaStore::folder(&FolderSettings::new(&path)).unwrap();
    (parent, path, storage)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_file_is_named_by_its_key_and_is_the_owners_alone() {
    let (_parent, path, storage) = storage();
    storage.put(&key(1), b"stored").await.unwrap();
    let file = path.join(key(1).to_string());
    assert_eq!(fs::read(&file).unwrap(), b"stored");
    assert_eq!((mode(&file), fs::metadata(&file).unwrap().nlink()), (0o600, 1));
    for folder in file.ancestors().skip(1).take(3) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    assert_eq!(entries(&path.join(".incoming")), 0);
}

#[tokio::test]
async fn what_a_killed_process_left_half_written_is_removed_at_the_start() {
    let (_parent, path, _storage) = storage();
    let (left, locked) = (path.join(".incoming/left"), path.join(".incoming/locked"));
    fs::write(&left, CANARY).unwrap();
    let writing = File::create(&locked).unwrap();
    writing.lock().unwrap();
    MediaStore::folder(&FolderSettings::new(&path)).unwrap();
    assert!(!left.exists() && locked.exists());
}

#[tokio::test]
async fn what_was_stored_is_there_when_the_folder_is_opened_again() {
    let (_parent, path, storage) = storage();
    storage.put(&key(1), b"stored").await.unwrap();
    drop(storage);
    let storage = MediaStore::folder(&FolderSettings::new(&path)).unwrap();
    assert_eq!(storage.get(&key(1)).await.unwrap().unwrap(), b"stored");
}

#[tokio::test]
async fn a_good_folder_passes_check_and_probe_and_keeps_nothing_of_them() {
    let (_parent, path, storage) = storage();
    storage.check().await.unwrap();
    storage.probe(&key(1)).await.unwrap();
    assert_eq!(storage.get(&key(1)).await.unwrap(), None);
    assert_eq!(entries(&path.join(".incoming")), 0);
}

#[tokio::test]
async fn a_folder_that_is_gone_is_unavailable_and_has_no_absent_containers() {
    let (_parent, path, storage) = storage();
    storage.put(&key(1), b"stored").await.unwrap();
    // An empty one in its place is another storage: the mount point without the disk.
    for is_replaced in [false, true] {
        if is_replaced {
            fs::create_dir(&path).unwrap();
        } else {
            fs::remove_dir_all(&path).unwrap();
        }
        for error in failures(&storage).await {
            let text = error.with_causes();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{text}");
            assert!(text.contains(&path.display().to_string()) && !text.contains(CANARY), "{text}");
        }
    }
    assert_eq!(entries(&path), 0, "nothing was made anew");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_unavailable_and_still_read() {
    let (_parent, path, storage) = storage();
    storage.put(&key(1), b"stored").await.unwrap();
    let incoming = path.join(".incoming");
    fs::remove_dir(&incoming).unwrap();
    // Files are created there by nobody, root included.
    symlink("/sys", &incoming).unwrap();
    for error in [
        storage.put(&key(2), CANARY.as_bytes()).await.unwrap_err(),
        storage.check().await.unwrap_err(),
        storage.probe(&key(2)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    }
    assert_eq!(storage.get(&key(1)).await.unwrap().unwrap(), b"stored");
    assert_eq!(storage.list(key(1).day(), None, 10).await.unwrap(), [key(1)]);
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_by_its_path() {
    for path in ["/no-such-parent/media", "/sys/media", "/dev/null"] {
        let refused = MediaStore::folder(&FolderSettings::new(path)).unwrap_err();
        assert_eq!(refused.setting(), "path", "{refused}");
        assert!(refused.to_string().contains(path), "{refused}");
    }
    let settings = FolderSettings { timeout_ms: 0, ..FolderSettings::new("/no-such-parent/media") };
    assert_eq!(MediaStore::folder(&settings).unwrap_err().setting(), "timeout_ms");
}

#[tokio::test]
async fn a_file_larger_than_any_container_is_corrupt() {
    let (_parent, path, storage) = storage();
    storage.put(&key(1), b"stored").await.unwrap();
    let file = File::options().write(true).open(path.join(key(1).to_string())).unwrap();
    // Without blocks of its own.
    file.set_len(u64::try_from(esoz_media_storage::MAX_CONTAINER_BYTES).unwrap() + 1).unwrap();
    assert_eq!(storage.get(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
}
