//! What the book quotes: files, configuration keys, commands and their options, and code that is compiled elsewhere.

use std::collections::BTreeSet;

use esoz_tests::process::esoz;

use crate::page::{Block, Page, all, root};

/// What the text of every page quotes as code, with the page's name.
fn spans(pages: &[Page]) -> impl Iterator<Item = (&str, &str)> {
    pages.iter().flat_map(|page| page.spans.iter().map(move |span| (page.name.as_str(), span.as_str())))
}

#[test]
fn quoted_files_exist() {
    let pages = all();
    let mut seen = 0;
    for (page, span) in spans(&pages) {
        let is_path = ["crates/", "bin/", "tests/", "docs/"].iter().any(|folder| span.starts_with(folder));
        // A pattern names no file of its own.
        if is_path && !span.contains(['*', '…', ' ', '{', '(']) {
            seen += 1;
            assert!(root().join(span).exists(), "{page} quotes `{span}`, which is not there");
        }
    }
    assert!(seen > 20, "only {seen} files are quoted");
}

/// Every key of the configuration, as `section.key`.
fn keys() -> BTreeSet<String> {
    let example = std::fs::read_to_string(root().join("docs/esoz.example.toml")).unwrap();
    let example: toml::Table = example.parse().unwrap();
    let keys = example.iter().flat_map(|(section, keys)| {
        keys.as_table().unwrap().keys().map(move |key| format!("{section}.{key}"))
    });
    keys.collect()
}

#[test]
fn quoted_configuration_keys_exist() {
    let keys = keys();
    let sections: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('.').next()).collect();
    let pages = all();
    let mut seen = 0;
    for (page, span) in spans(&pages) {
        let named = span.split([' ', '=']).next().unwrap();
        let Some((section, key)) = named.split_once('.') else { continue };
        let is_key = key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        // File names look alike.
        let is_file = ["toml", "md", "rs", "json", "key", "yml", "sqlite"].contains(&key);
        if sections.contains(section) && is_key && !is_file {
            seen += 1;
            assert!(keys.contains(named), "{page} quotes `{span}`, and there is no such key");
        }
    }
    assert!(seen > 20, "only {seen} keys are quoted");
}

#[test]
fn configurations_are_taken() {
    let mut seen = 0;
    for page in all() {
        for block in page.blocks_of("toml") {
            // What stands elsewhere is tested there, and a manifest is none of ours.
            if block.contains("{{#include") || block.starts_with("[dependencies]") {
                continue;
            }
            seen += 1;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("esoz.toml");
            std::fs::write(&file, block).unwrap();
            let checked = esoz(&[], &["config", "check", "--config", file.to_str().unwrap()]);
            assert!(checked.status.success(), "{}: {}", page.name, checked.stderr);
        }
    }
    assert!(seen > 0, "no page shows a configuration");
}

/// Each `esoz …` of a page: in its text, and at the beginning of a line or a substitution of its shell blocks.
fn commands(page: &Page) -> Vec<String> {
    let in_text = page.spans.iter().map(String::as_str);
    let blocks = page.blocks_of("sh").into_iter().map(|block| block.replace("\\\n", " ")).collect::<Vec<_>>();
    let in_blocks = blocks.iter().flat_map(|block| block.split(['\n', '(', '|', ';']));
    let commands = in_text.chain(in_blocks).map(str::trim);
    commands
        .map(|command| command.trim_start_matches("until "))
        .filter(|command| command.starts_with("esoz "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn quoted_commands_and_options_exist() {
    let mut seen = 0;
    for page in all() {
        for command in commands(&page) {
            seen += 1;
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            let is_name =
                |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
            let mut asked: Vec<&str> =
                words.iter().take_while(|word| !word.starts_with('-')).take_while(is_name).copied().collect();
            asked.push("--help");
            let help = esoz(&[], &asked);
            assert!(help.status.success(), "{} quotes `{command}`: {}", page.name, help.stderr);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap();
                assert!(
                    help.stdout.contains(option),
                    "{} quotes `{command}`: there is no {option}",
                    page.name
                );
            }
        }
    }
    assert!(seen > 20, "only {seen} commands are quoted");
}

/// The manifest of a service that takes our crates: each is where it says, and has the features that it asks for.
#[test]
fn dependencies_exist() {
    let mut seen = 0;
    for page in all() {
        for block in page.blocks_of("toml").into_iter().filter(|block| block.starts_with("[dependencies]")) {
            let manifest: toml::Table = block.parse().unwrap();
            let tables =
                ["dependencies", "dev-dependencies"].into_iter().filter_map(|table| manifest.get(table));
            for (name, dependency) in tables.flat_map(|table| table.as_table().unwrap()) {
                // One that is not ours.
                let Some(path) = dependency.get("path") else { continue };
                seen += 1;
                let place = path.as_str().unwrap().strip_prefix("../esoz/").unwrap();
                let ours = std::fs::read_to_string(root().join(place).join("Cargo.toml")).unwrap();
                let ours: toml::Table = ours.parse().unwrap();
                assert_eq!(ours["package"]["name"].as_str(), Some(name.as_str()), "{}", page.name);
                let features =
                    dependency.get("features").and_then(toml::Value::as_array).into_iter().flatten();
                for feature in features.filter_map(toml::Value::as_str) {
                    assert!(
                        ours["features"].get(feature).is_some(),
                        "{}: {name} has no {feature}",
                        page.name
                    );
                }
            }
        }
    }
    assert!(seen > 0, "no page shows dependencies");
}

/// No block is left that nothing looks at: each language has its test here or beside this file, some on certain pages alone.
#[test]
fn every_block_is_looked_at() {
    for page in all() {
        for Block { language, text, .. } in &page.blocks {
            let is_looked_at = match language.as_str() {
                "json" => serde_json::from_str::<serde_json::Value>(text).is_ok(),
                "yaml" => serde_saphyr::from_str::<serde_json::Value>(text).is_ok(),
                // Rust of the book by the test below; of a crate by rustdoc.
                "sh" | "toml" | "rust" => true,
                "" | "no_run" => page.name.starts_with("crates/"),
                // What is printed there; elsewhere a drawing of something.
                "text" => {
                    let printed = [
                        "docs/tutorial.md",
                        "docs/uk/quick-start.md",
                        "docs/how-to/a-pharmacys-day.md",
                        "docs/how-to/back-up.md",
                        "docs/how-to/prepare-servers.md",
                        "docs/reference/command-line.md",
                    ];
                    printed.contains(&page.name.as_str()) || page.name.starts_with("crates/")
                }
                "sql" => [
                    "docs/how-to/audit.md",
                    "docs/how-to/attach.md",
                    "docs/how-to/back-up.md",
                    "docs/how-to/prepare-servers.md",
                ]
                .contains(&page.name.as_str()),
                "js" => {
                    ["docs/how-to/back-up.md", "docs/how-to/prepare-servers.md"].contains(&page.name.as_str())
                }
                "python" => page.name == "docs/how-to/write-a-client.md",
                _ => false,
            };
            assert!(is_looked_at, "{}: nothing looks at this block of `{language}`:\n{text}", page.name);
        }
    }
}

#[test]
fn rust_is_taken_from_what_is_compiled() {
    let mut seen = 0;
    for page in all() {
        if !page.name.starts_with("docs/") {
            continue;
        }
        for block in page.blocks_of("rust") {
            seen += 1;
            let include = block.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
            let (file, anchor) = include
                .and_then(|include| include.split_once(':'))
                .unwrap_or_else(|| panic!("{}: Rust that nothing compiles: {block}", page.name));
            let source = std::fs::read_to_string(page.file(file)).unwrap();
            for mark in ["ANCHOR: ", "ANCHOR_END: "] {
                let mark = format!("// {mark}{anchor}");
                let times = source.lines().filter(|line| line.trim() == mark).count();
                assert_eq!(times, 1, "{}: {file}: `{mark}`", page.name);
            }
        }
    }
    assert!(seen > 0, "no page shows Rust");
}
