//! How the object store lists what it has.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    object_store::Object,
    object_store_http::{Response, percent_decoded},
};

/// The most names in one answer, as S3 has it.
const NAMES_MAX: usize = 1_000;

/// The answer to a list of names: those with the prefix, behind `start-after`, in pages.
pub(super) fn list(objects: &BTreeMap<String, Object>, query: &str) -> Response {
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value);
        percent_decoded(&found.replace('+', " "))
    };
    let (Some(prefix), Some(delimiter), Some(after), Some(token)) = (
        parameter("prefix"),
        parameter("delimiter"),
        parameter("start-after"),
        parameter("continuation-token"),
    ) else {
        return Response::empty(400);
    };
    // A token is the last name of the page before.
    let after = after.max(token);
    let most = parameter("max-keys").and_then(|text| text.parse().ok()).unwrap_or(NAMES_MAX).min(NAMES_MAX);
    let mut found = objects.iter().filter(|(key, _)| **key > after && key.starts_with(&prefix));
    let mut xml = String::from("<ListBucketResult>");
    let mut last_folder = "";
    let (mut names, mut last) = (0_usize, None);
    for (key, object) in found.by_ref() {
        let rest = key.strip_prefix(&prefix).unwrap_or_default();
        let folder = if delimiter.is_empty() { None } else { rest.find(&delimiter) };
        if let Some(folder) = folder.and_then(|at| {
            let end = prefix.len().saturating_add(at).saturating_add(delimiter.len());
            key.get(..end)
        }) {
            if folder != last_folder {
                // Writing to a String cannot fail; here and below.
                let name = escaped(folder);
                let _ = write!(xml, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>");
                last_folder = folder;
            }
            continue;
        }
        let _ = write!(
            xml,
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            escaped(&object.tag),
            object.content.len(),
        );
        names = names.saturating_add(1);
        // Folders are not counted: who asks for them has few.
        if names >= most {
            last = Some(key);
            break;
        }
    }
    match last.filter(|_| found.next().is_some()) {
        None => xml.push_str("<IsTruncated>false</IsTruncated>"),
        Some(last) => {
            let token = escaped(last);
            let _ = write!(
                xml,
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
            );
        }
    }
    xml.push_str("</ListBucketResult>");
    Response::xml(200, xml)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
