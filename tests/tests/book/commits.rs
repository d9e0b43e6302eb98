//! The commits that the book tells file by file.

use std::collections::BTreeSet;
use std::process::Command;

use crate::page::root;

/// The files of a commit; `None` when this is a shallow clone, or no clone at all.
fn files_of(commit: &str) -> Option<BTreeSet<String>> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["show", "--name-only", "--format=", commit, "--"]);
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_endpoints_that_are_examples_have_the_files_of_their_commits() {
    let page = std::fs::read_to_string(root().join("docs/how-to/add-an-endpoint.md")).unwrap();
    let mut told = 0;
    for part in page.split("Commit `").skip(1) {
        let (commit, rest) = part.split_once('`').unwrap();
        let rows =
            rest.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with('|'));
        let (mut by_hand, mut generated) = (BTreeSet::new(), BTreeSet::new());
        for row in rows {
            let [_, files, what, _] = row.split('|').collect::<Vec<_>>()[..] else {
                panic!("two columns: {row}")
            };
            let kind = if what.trim() == "generated" { &mut generated } else { &mut by_hand };
            kind.extend(quoted(files).map(str::to_owned));
        }
        let count = format!(" has {} files by hand and {} generated ones:", by_hand.len(), generated.len());
        assert!(rest.starts_with(&count), "{commit}{count}");
        by_hand.append(&mut generated);
        if let Some(files) = files_of(commit) {
            assert_eq!(by_hand, files, "{commit}");
        }
        told += 1;
    }
    assert_eq!(told, 2);
}
