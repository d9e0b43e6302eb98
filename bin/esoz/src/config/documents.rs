//! How signed documents are verified, and where they are kept.

use anyhow::Result;

use super::Config;

/// How signed documents are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifierKind {
    /// Not at all: no signed document is accepted.
    None,
    /// Here, against configured authorities.
    Cms,
    /// By an HTTP service.
    Service,
    /// Plain documents are taken for signed ones.
    Unsigned,
}

/// Where signed documents are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Folder,
    S3,
}

impl Config {
    /// How signed documents are verified.
    pub(crate) fn verifier_kind(&self) -> Result<VerifierKind> {
        let section = &self.sections.signature;
        let why = format!("`signature.verifier` is `{}`", section.verifier);
        match section.verifier.as_str() {
            "none" => Ok(VerifierKind::None),
            "cms" => {
                Self::require("signature.authorities_file", &section.authorities_file, &why)?;
                match section.validity_time.as_str() {
                    "now" | "signing_time" => Ok(VerifierKind::Cms),
                    _ => Err(self.refuse("signature.validity_time", "must be `now` or `signing_time`")),
                }
            }
            "service" => {
                Self::require("signature.url", &section.url, &why)?;
                Ok(VerifierKind::Service)
            }
            "unsigned" if section.accept_unsigned => Ok(VerifierKind::Unsigned),
            "unsigned" => {
                let what = "is `unsigned`: documents without a signature are taken for signed ones, which is for demos alone; if you mean it, \
                            set `signature.accept_unsigned` as well";
                Err(self.refuse("signature.verifier", what))
            }
            _ => Err(self.refuse("signature.verifier", "must be `none`, `cms`, `service` or `unsigned`")),
        }
    }

    /// Where signed documents are kept.
    pub(crate) fn media_kind(&self) -> Result<MediaKind> {
        let section = &self.sections.media;
        match section.storage.as_str() {
            "folder" => {
                Self::require("media.folder", &section.folder, "`media.storage` is `folder`")?;
                Ok(MediaKind::Folder)
            }
            "s3" => {
                let needed = [
                    ("media.endpoint", &*section.endpoint),
                    ("media.bucket", &*section.bucket),
                    ("media.access_key_id", &*section.access_key_id),
                ];
                Self::require_all(needed, "`media.storage` is `s3`")?;
                Ok(MediaKind::S3)
            }
            _ => Err(self.refuse("media.storage", "must be `folder` or `s3`")),
        }
    }
}
