//! A page of the book, taken apart, and what every page keeps: its links lead somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A page.
pub(crate) struct Page {
    /// From the root of the workspace.
    pub(crate) name: String,
    /// Its folder.
    folder: PathBuf,
    links: Vec<String>,
    /// What its headings can be linked by.
    anchors: BTreeSet<String>,
    /// Its code blocks with their languages.
    pub(crate) blocks: Vec<Block>,
    /// What it quotes as code in the text.
    pub(crate) spans: Vec<String>,
}

/// A code block.
#[derive(Clone)]
pub(crate) struct Block {
    /// What stands behind its fence.
    pub(crate) language: String,
    /// What stands in it.
    pub(crate) text: String,
    /// The chapter it stands in: the heading of the second level above it.
    pub(crate) chapter: String,
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut page = Self {
            name: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
            folder: path.parent().unwrap().to_owned(),
            links: Vec::new(),
            anchors: BTreeSet::new(),
            blocks: Vec::new(),
            spans: Vec::new(),
        };
        let (mut heading, mut block, mut chapter) = (None::<String>, None::<Block>, String::new());
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => page.links.push(dest_url.into_string()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(level)) => {
                    if let Some(text) = heading.take() {
                        page.anchors.insert(anchor(&text));
                        if level == HeadingLevel::H2 {
                            chapter = text;
                        }
                    }
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block { language, text: String::new(), chapter: chapter.clone() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Text(text) => {
                    if let Some(block) = &mut block {
                        block.text.push_str(&text);
                    }
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.spans.push(code.into_string());
                }
                _ => {}
            }
        }
        page
    }

    /// The page with that name under `docs/`.
    pub(crate) fn of_book(name: &str) -> Self {
        Self::read(&root().join("docs").join(name))
    }

    /// The same page with the blocks of these chapters alone.
    pub(crate) fn chapters(mut self, names: &[&str]) -> Self {
        for name in names {
            let is_there = self.blocks.iter().any(|block| block.chapter == *name);
            assert!(is_there, "{}: no block in a chapter `{name}`", self.name);
        }
        self.blocks.retain(|block| names.contains(&block.chapter.as_str()));
        self
    }

    /// Its only block in that language.
    pub(crate) fn only_block(&self, language: &str) -> &str {
        let blocks: Vec<&Block> = self.blocks.iter().filter(|block| block.language == language).collect();
        assert_eq!(blocks.len(), 1, "{}: blocks of {language}", self.name);
        &blocks[0].text
    }

    /// Its blocks in that language.
    pub(crate) fn blocks_of(&self, language: &str) -> Vec<&str> {
        let blocks = self.blocks.iter().filter(|block| block.language == language);
        blocks.map(|block| block.text.as_str()).collect()
    }

    /// A file that the page names from its own folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every page: those of the book, and those that greet whoever opens a folder.
pub(crate) fn all() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in ["docs", "crates", "bin"] {
        collect(&root().join(folder), &mut pages);
    }
    pages.push(Page::read(&root().join("README.md")));
    assert!(pages.len() > 30, "the pages are not where they were");
    pages
}

fn collect(folder: &Path, pages: &mut Vec<Page>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(Page::read(&path));
        }
    }
}

/// What a heading is linked by, as mdBook and code hosts make it.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// Why a link leads nowhere, if it does.
fn fault(page: &Page, link: &str) -> Option<String> {
    // Elsewhere in the world; or an item of the code, which rustdoc looks after.
    if link.contains("://") || link.contains("::") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { None } else { Some(page.file(file)) };
    if let Some(target) = &target
        && !target.exists()
    {
        return Some(format!("{}: {link}: there is no such file", page.name));
    }
    let anchor = anchor?;
    let known = match &target {
        Some(target) => Page::read(&target.canonicalize().unwrap()).anchors.contains(anchor),
        None => page.anchors.contains(anchor),
    };
    (!known).then(|| format!("{}: {link}: there is no such heading", page.name))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = all();
    let links = pages.iter().flat_map(|page| page.links.iter().map(move |link| (page, link)));
    let faults: Vec<String> = links.filter_map(|(page, link)| fault(page, link)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = Page::of_book("index.md");
    assert_eq!(fault(&page, "tutorial.md"), None);
    assert_eq!(fault(&page, "tutorial.md#start"), None);
    for broken in ["no-such-page.md", "tutorial.md#no-such-heading", "#no-such-heading"] {
        assert!(fault(&page, broken).is_some(), "{broken}");
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let summary = Page::of_book("SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        summary.links.iter().map(|link| summary.file(link).canonicalize().unwrap()).collect();
    let mut pages = Vec::new();
    collect(&root().join("docs"), &mut pages);
    let missing: Vec<&str> = pages
        .iter()
        .map(|page| page.name.as_str())
        .filter(|name| {
            *name != "docs/SUMMARY.md" && !listed.contains(&root().join(name).canonicalize().unwrap())
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}
