//! A page that is worked through from its top to its end: its commands are typed in, and what they print is compared.

use crate::page::{Block, Page};
use crate::shell::{Shell, looks_like};

/// Types every `sh` block of the page into the shell and holds what it prints against the `text` block below it. Without one it must print nothing.
/// `names` are pairs of what stands on the page and what stands for it here. `is_elsewhere` takes a block that is no business of the shell's, with
/// the names of here.
///
/// # Panics
/// When a block prints something else, or nobody takes it. Returns how many outputs were compared.
pub(crate) fn walk<S: AsMut<Shell>>(
    page: &Page,
    shell: &mut S,
    names: &[(&str, &str)],
    mut is_elsewhere: impl FnMut(&mut S, &Block) -> bool,
) -> usize {
    let here = |text: &str| names.iter().fold(text.to_owned(), |text, (name, here)| text.replace(name, here));
    let on_page = |text: String| names.iter().fold(text, |text, (name, here)| text.replace(here, name));
    let mut blocks = page.blocks.iter().peekable();
    let mut compared = 0;
    while let Some(written) = blocks.next() {
        let Block { language, text, .. } = written;
        let block = Block { text: here(text), ..written.clone() };
        if is_elsewhere(shell, &block) {
            continue;
        }
        assert_eq!(language, "sh", "{}: {text}", page.name);
        let printed = on_page(shell.as_mut().run(&block.text));
        if let Some(expected) = blocks.next_if(|block| block.language == "text") {
            compared += 1;
            let expected = &expected.text;
            assert!(
                looks_like(&printed, expected),
                "{}: {text}\nprinted\n{printed}\nand not\n{expected}",
                page.name
            );
        } else {
            assert_eq!(printed, "", "{}: {text}\nprints something that the page does not show", page.name);
        }
    }
    compared
}
