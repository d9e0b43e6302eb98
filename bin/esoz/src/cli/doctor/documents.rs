//! What signed documents need: the verifier of signatures and the media storage.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use esoz_kernel::system::{KyivCalendar, RandomIds, SystemClock};
use esoz_kernel::{Calendar as _, Clock, DispenseId, IdGenerator as _};
use esoz_signed_content::MediaKey;

use super::finding::Finding;
use crate::compose::documents;
use crate::config::{Config, MediaKind, VerifierKind};

const VERIFIER_REMEDY: &str = "check section signature: that the files of authorities and revocation lists can be read and hold certificates that are valid, or that \
    the service of signature.url can be reached from here";
const UNSIGNED_REMEDY: &str =
    "set signature.verifier to \"cms\" or \"service\"; \"unsigned\" is for demos alone";
const MEDIA_REMEDY: &str = "check section media: that the folder is there, that the user of this program may write it, and that its disk has room; or the endpoint, the \
    bucket and the access key";

/// Checks both; nothing if no document can be signed.
pub(super) async fn findings(config: &Config) -> Result<Vec<Finding>> {
    let verifier = match config.verifier_kind()? {
        VerifierKind::None => return Ok(Vec::new()),
        VerifierKind::Unsigned => {
            let why = "any client with a valid token can complete dispenses and mark them in error without a signature";
            let weak = Some((why.to_owned(), UNSIGNED_REMEDY));
            Finding { weak, ..Finding::new("signature verifier", Ok(()), UNSIGNED_REMEDY) }
        }
        VerifierKind::Cms | VerifierKind::Service => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let ping = async { Ok(documents::verifier(config, &clock)?.0.ping().await?) };
            Finding::new("signature verifier", ping.await, VERIFIER_REMEDY)
        }
    };
    Ok(vec![verifier, media(config).await?])
}

/// Stores, reads and removes a container. A server that has not started yet creates its folder.
async fn media(config: &Config) -> Result<Finding> {
    const WHAT: &str = "media storage";
    let folder = Path::new(&config.sections.media.folder);
    if config.media_kind()? == MediaKind::Folder && !folder.exists() {
        return Ok(Finding::creatable(WHAT, folder, MEDIA_REMEDY));
    }
    let today = KyivCalendar::new().context("the time zone of Ukraine")?.day_of(SystemClock.now());
    let key = MediaKey::new(today, DispenseId::new(RandomIds.fresh()), RandomIds.fresh());
    let probe = async { Ok(documents::media_store(config)?.probe(&key).await?) };
    Ok(Finding::new(WHAT, probe.await, MEDIA_REMEDY))
}
