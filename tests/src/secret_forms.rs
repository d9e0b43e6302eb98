//! The forms in which secrets are searched for, and how they are found in a text.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// What is searched for: each of the forms of every secret.
pub(crate) struct Secrets {
    known: BTreeSet<String>,
    /// Those that no searcher finds yet.
    fresh: Vec<(String, Form)>,
    /// Each of more than twice as many forms as the next, so that a form that comes later does not make all anew.
    searchers: Vec<Searcher>,
}

/// Finds many forms in one pass: a text takes hardly longer the more there are.
struct Searcher {
    automaton: AhoCorasick,
    /// By the automaton's numbers.
    forms: Vec<(String, Form)>,
}

impl Secrets {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { known: BTreeSet::new(), fresh: Vec::new(), searchers: Vec::new() }
    }

    /// Adds a form, in lower case.
    pub(crate) fn register(&mut self, text: String, form: Form) {
        if self.known.insert(text.clone()) {
            self.fresh.push((text, form));
        }
    }

    /// The kinds of the secrets that are in a text, which is in lower case.
    pub(crate) fn kinds_in(&mut self, text: &str) -> BTreeSet<&'static str> {
        if !self.fresh.is_empty() {
            let mut forms = std::mem::take(&mut self.fresh);
            while let Some(smaller) = self.searchers.pop_if(|last| last.forms.len() <= 2 * forms.len()) {
                forms.extend(smaller.forms);
            }
            // The kind that is built fastest: secrets come one by one, and a text after each.
            let automaton = AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::NoncontiguousNFA))
                .build(forms.iter().map(|(text, _)| text));
            self.searchers.push(Searcher { automaton: automaton.expect("not that many forms"), forms });
        }
        let found = self.searchers.iter().flat_map(|Searcher { automaton, forms }| {
            let found = automaton.find_overlapping_iter(text);
            found.map(|found| (forms[found.pattern().as_usize()].1, found.range()))
        });
        found.filter(|(form, range)| form.counts(text, range)).map(|(form, _)| form.what).collect()
    }
}

/// One form of a secret.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// What kind of secret it is.
    pub(crate) what: &'static str,
    /// Whether it is short, so that it counts only where no further letter or digit is next to it.
    pub(crate) stands_alone: bool,
}

impl Form {
    /// Whether it counts where it was found.
    fn counts(self, text: &str, found: &Range<usize>) -> bool {
        let is_end = |next: Option<char>| !next.is_some_and(char::is_alphanumeric);
        let (before, after) = (&text[..found.start], &text[found.end..]);
        !self.stands_alone || is_end(before.chars().next_back()) && is_end(after.chars().next())
    }
}
