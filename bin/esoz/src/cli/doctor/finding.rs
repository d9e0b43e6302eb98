//! What `doctor` finds, and how it is printed.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use esoz_tls::Transport;
use serde_json::json;

use crate::cli::args::DoctorArgs;
use crate::cli::print;
use crate::compose::transport;

/// The result of one check.
pub(super) struct Finding {
    pub(super) what: &'static str,
    /// What the check saw, if it is worth printing.
    pub(super) seen: Option<String>,
    /// The problem and its remedy.
    pub(super) wrong: Option<(String, &'static str)>,
    /// What is not safe and its remedy. A warning, no failure unless `--strict` is given: something else may protect it, such as an isolated network.
    pub(super) weak: Option<(String, &'static str)>,
}

/// Prints the findings as they are made.
pub(super) struct Report {
    args: DoctorArgs,
    pub(super) is_well: bool,
}

impl Report {
    pub(super) const fn new(args: DoctorArgs) -> Self {
        Self { args, is_well: true }
    }

    pub(super) fn add(&mut self, finding: &Finding) -> Result<()> {
        self.is_well &= finding.wrong.is_none() && !(self.args.strict && finding.weak.is_some());
        print(&if self.args.output.json { finding.as_json() } else { finding.as_text() })
    }
}

impl Finding {
    pub(super) fn new(what: &'static str, outcome: Result<()>, remedy: &'static str) -> Self {
        let wrong = outcome.err().map(|error| (format!("{error:#}"), remedy));
        Self { what, seen: None, wrong, weak: None }
    }

    /// Checks that a file or folder can be created.
    pub(super) fn creatable(what: &'static str, path: &Path, remedy: &'static str) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let created = tempfile::tempfile_in(folder).map(drop);
        let created = created.with_context(|| format!("no file can be created in {}", folder.display()));
        let seen = format!("{} is not there and will be created by `esoz serve`", path.display());
        Self { seen: Some(seen), ..Self::new(what, created, remedy) }
    }

    /// A server runs without its file.
    pub(super) fn removed(what: &'static str, path: &Path) -> Self {
        let gone = anyhow!("{} is not there, and a server runs at http.bind", path.display());
        Self::new(
            what,
            Err(gone),
            "check sqlite.path; if the file was moved or deleted, stop the server and put it or its copy back before the next start, which would make a new, empty one",
        )
    }

    /// Adds how the server is reached.
    pub(super) fn over(self, transport: Transport) -> Self {
        let weak = if let Transport::Weak(why) = transport { Some(why.to_owned()) } else { None };
        Self { weak: weak.map(|why| (why, transport::REMEDY)), ..self }
    }

    fn as_text(&self) -> String {
        let what = self.what;
        let text = match (&self.wrong, &self.seen) {
            (None, None) => format!("ok     {what}"),
            (None, Some(seen)) => format!("ok     {what}: {seen}"),
            (Some((why, remedy)), _) => format!("WRONG  {what}: {why}\n       {remedy}"),
        };
        let Some((why, remedy)) = &self.weak else { return text };
        let weak = format!("UNSAFE {what}: {why}\n       {remedy}");
        // What is only safe or not has nothing else to tell.
        if self.wrong.is_none() && self.seen.is_none() { weak } else { format!("{text}\n{weak}") }
    }

    fn as_json(&self) -> String {
        let wrong = self.wrong.as_ref().map(|(why, remedy)| json!({"why": why, "mend": remedy}));
        let weak = self.weak.as_ref().map(|(why, remedy)| json!({"why": why, "mend": remedy}));
        json!({"what": self.what, "ok": wrong.is_none(), "seen": self.seen, "wrong": wrong, "unsafe": weak})
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_safe_is_not_called_ok_as_well() {
        let weak = Some(("others may read it".to_owned(), "chmod 600"));
        let finding = Finding { weak, ..Finding::new("secret files", Ok(()), "") };
        assert_eq!(finding.as_text(), "UNSAFE secret files: others may read it\n       chmod 600");
        let finding = Finding { seen: Some("PostgreSQL 17".to_owned()), ..finding };
        assert!(finding.as_text().starts_with("ok     secret files: PostgreSQL 17\nUNSAFE secret files"));
    }

    #[test]
    fn json_has_the_remedy_of_what_is_not_safe() {
        let finding = Finding::new("Kafka", Ok(()), "").over(Transport::Weak("it is plain"));
        let json: serde_json::Value = serde_json::from_str(&finding.as_json()).unwrap();
        assert_eq!(json["unsafe"], json!({"why": "it is plain", "mend": transport::REMEDY}));
    }
}
