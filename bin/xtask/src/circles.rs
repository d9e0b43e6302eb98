//! Files of a crate that use each other, by the `crate::`, `super::` and module paths in their code.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::steps::say;

/// Words, `::`, and every other character by itself.
fn tokens(mut rest: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        rest = rest.trim_start();
        let word = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
        let first = rest.chars().next()?.len_utf8();
        let (token, after) = rest.split_at(if rest.starts_with("::") { 2 } else { word.max(first) });
        rest = after;
        Some(token)
    })
}

/// The names of a path.
type Path<'s> = Vec<&'s str>;

/// A crate's modules by their paths.
pub(crate) type Modules<'s> = BTreeMap<Path<'s>, Module<'s>>;

/// A file and what its code names.
pub(crate) struct Module<'s> {
    file: &'s str,
    imports: BTreeMap<&'s str, Path<'s>>,
    /// All paths but those of `pub use`, which only pass something on.
    uses: BTreeSet<Path<'s>>,
}

impl<'s> Module<'s> {
    /// Reads the paths in the code of a file.
    pub(crate) fn read(file: &'s str, lines: impl Iterator<Item = &'s str>) -> Self {
        let tokens: Vec<&str> = lines.flat_map(tokens).collect();
        let mut module = Self { file, imports: BTreeMap::new(), uses: BTreeSet::new() };
        let (mut rest, mut before) = (tokens.as_slice(), "");
        while let [token, after @ ..] = rest {
            let mut paths = Vec::new();
            rest = match *token {
                "use" => read_paths(after, &[], &mut paths),
                "{" => after,
                _ if before == "::" => after,
                _ => read_paths(rest, &[], &mut paths),
            };
            if *token == "use" {
                let named = paths.iter().filter_map(|path| Some((*path.last()?, path.clone())));
                module.imports.extend(named);
            }
            if *token != "use" || !["pub", ")"].contains(&before) {
                module.uses.extend(paths.into_iter().filter(|path| path.len() > 1));
            }
            before = token;
        }
        module
    }
}

/// Reads a path, or a tree of them such as `a::{b, c::d}`; answers what follows.
fn read_paths<'t, 's>(tokens: &'t [&'s str], prefix: &[&'s str], paths: &mut Vec<Path<'s>>) -> &'t [&'s str] {
    match tokens {
        [] => tokens,
        ["{", inner @ ..] => {
            let mut rest = inner;
            while let [next, after @ ..] = rest {
                rest = match *next {
                    "}" => return after,
                    "," => after,
                    _ => read_paths(rest, prefix, paths),
                };
            }
            rest
        }
        [word, "::", rest @ ..] if rest.first() != Some(&"<") => {
            read_paths(rest, &[prefix, &[*word]].concat(), paths)
        }
        [word, rest @ ..] => {
            paths.push(if *word == "self" { prefix.to_vec() } else { [prefix, &[*word]].concat() });
            rest
        }
    }
}

/// A path from the crate's root; none for what is of another crate.
fn absolute<'s>(modules: &Modules<'s>, from: &[&'s str], path: &[&'s str]) -> Option<Path<'s>> {
    let (first, rest) = path.split_first()?;
    match *first {
        "crate" => Some(rest.to_vec()),
        "self" => absolute(modules, from, rest).or_else(|| Some([from, rest].concat())),
        "super" => absolute(modules, from.split_last()?.1, &[&["self"], rest].concat()),
        child => modules.contains_key(&[from, &[child]].concat()).then(|| [from, path].concat()),
    }
}

/// The module that an absolute path leads to, through those that pass it on; `hops` bounds how many.
fn definer<'m, 's>(modules: &'m Modules<'s>, path: &[&'s str], hops: u8) -> Option<&'m Module<'s>> {
    let is_known = |length: &usize| path.get(..*length).is_some_and(|path| modules.contains_key(path));
    let (known, rest) = path.split_at((0..=path.len()).rev().find(is_known)?);
    let module = modules.get(known)?;
    let passed_on = rest.split_first().filter(|_| hops > 0).and_then(|(name, rest)| {
        let path = absolute(modules, known, module.imports.get(name)?)?;
        definer(modules, &[path.as_slice(), rest].concat(), hops - 1)
    });
    passed_on.or(Some(module))
}

/// Prints the circles between a crate's files, and which names each file takes from which. Returns whether there is none.
pub(crate) fn print_circles(modules: &Modules) -> bool {
    let mut arrows = BTreeMap::<_, Path>::new();
    for (from, module) in modules {
        for path in &module.uses {
            let target = absolute(modules, from, path).and_then(|path| definer(modules, &path, 8));
            if let Some(target) = target.filter(|target| target.file != module.file) {
                arrows.entry((module.file, target.file)).or_default().extend(path.last());
            }
        }
    }
    let reach = |start| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(file) = next.pop() {
            let targets = arrows.keys().filter(|(from, _)| *from == file).map(|(_, to)| *to);
            next.extend(targets.filter(|to| reached.insert(*to)));
        }
        reached
    };
    let reached: BTreeMap<&str, _> = arrows.keys().map(|(file, _)| (*file, reach(*file))).collect();
    let circles: BTreeSet<Path> = reached
        .iter()
        .map(|(file, files)| {
            let leads_back = |other: &&&str| reached.get(**other).is_some_and(|files| files.contains(file));
            files.iter().filter(leads_back).copied().collect()
        })
        .collect();
    let circles: Vec<&Path> = circles.iter().filter(|circle| !circle.is_empty()).collect();
    for circle in &circles {
        say(&format!("{:>7}  files", circle.len()));
        for ((from, to), names) in &arrows {
            if circle.contains(from) && circle.contains(to) {
                say(&format!("{:>9}{from} -> {to}: {}", "", names.join(", ")));
            }
        }
    }
    circles.is_empty()
}
