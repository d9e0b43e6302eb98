//! The drawing of the rooms: which crates there are and which rooms depend on which, as Cargo knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use cargo_metadata::{DependencyKind, Metadata};

/// The path of the drawing below `docs/`.
pub(crate) const FILE: &str = "architecture/rooms.svg";

/// The crates with the rules of an aggregate. The workspace's crates that they depend on are the shared domain.
const AGGREGATES: [&str; 2] = ["esoz-contract-division", "esoz-device-dispense"];

/// The size of a crate's box, the distance between two, and the height of a room's name.
const BOX: (usize, usize) = (150, 26);
const GAP: usize = 8;
const HEAD: usize = 28;
/// The distance between two rooms.
const AISLE: usize = 28;
const MARGIN: usize = 10;

/// The rooms, in the order in which they are drawn: from the left to the right, and the last one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    Program,
    Adapters,
    Domain,
    Shared,
    Kernel,
    Technical,
}

impl Room {
    fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Adapters => "transport and adapters",
            Self::Domain => "domain",
            Self::Shared => "shared domain",
            Self::Kernel => "kernel",
            Self::Technical => "technical",
        }
    }

    fn columns(self) -> usize {
        match self {
            Self::Adapters => 2,
            Self::Technical => 4,
            _ => 1,
        }
    }
}

/// The arrows: from who depends to what it depends on, directly or through the rooms between.
const ARROWS: [(Room, Room); 6] = [
    (Room::Program, Room::Adapters),
    (Room::Adapters, Room::Domain),
    (Room::Adapters, Room::Technical),
    (Room::Domain, Room::Shared),
    (Room::Shared, Room::Kernel),
    (Room::Technical, Room::Kernel),
];

/// The workspace's crates, each with those that it needs to run.
type Crates = BTreeMap<String, BTreeSet<String>>;

/// Draws the crates as SVG. Fails when a dependency follows no arrow.
pub(crate) fn drawing(metadata: &Metadata) -> Result<String> {
    let crates = crates(metadata);
    let mut rooms: BTreeMap<Room, Vec<&str>> = BTreeMap::new();
    for name in crates.keys() {
        rooms.entry(room(&crates, name)).or_default().push(name);
    }
    for (name, needed) in &crates {
        for other in needed {
            let (from, to) = (room(&crates, name), room(&crates, other));
            ensure!(leads(from, to), "{name} needs {other}: no arrow leads from {from:?} to {to:?}");
        }
    }
    Ok(svg(&rooms)?)
}

/// The crates that `esoz` depends on. The others of the workspace are for tests and development.
fn crates(metadata: &Metadata) -> Crates {
    let packages = metadata.workspace_packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut all: Crates = packages
        .iter()
        .map(|package| {
            let needed =
                package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            let ours = needed.map(|dependency| &dependency.name).filter(|name| names.contains(name.as_str()));
            (package.name.to_string(), ours.cloned().collect())
        })
        .collect();
    let of_program = closure(&all, "esoz");
    all.retain(|name, _| of_program.contains(name));
    all
}

/// The crate, and all crates of the workspace that it depends on.
fn closure(crates: &Crates, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([name.to_owned()]);
    for needed in crates.get(name).into_iter().flatten() {
        found.extend(closure(crates, needed));
    }
    found
}

/// The room of a crate.
fn room(crates: &Crates, name: &str) -> Room {
    let is_below_domain = || AGGREGATES.iter().any(|aggregate| closure(crates, aggregate).contains(name));
    // A technical crate depends on technical crates and the kernel only.
    let is_technical = || {
        closure(crates, name)
            .iter()
            .filter(|other| *other != name)
            .all(|other| matches!(room(crates, other), Room::Kernel | Room::Technical))
    };
    match name {
        "esoz" => Room::Program,
        "esoz-kernel" => Room::Kernel,
        _ if AGGREGATES.contains(&name) => Room::Domain,
        _ if is_below_domain() => Room::Shared,
        _ if is_technical() => Room::Technical,
        _ => Room::Adapters,
    }
}

/// Whether arrows lead from one room to another.
fn leads(from: Room, to: Room) -> bool {
    from == to || ARROWS.iter().any(|(one, next)| *one == from && leads(*next, to))
}

/// A rectangle.
#[derive(Clone, Copy)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Area {
    const fn right(self) -> usize {
        self.left + self.width
    }

    const fn bottom(self) -> usize {
        self.top + self.height
    }

    const fn middle(self) -> usize {
        self.top + self.height / 2
    }
}

/// Where each room is: a row, whose middles are on one line, and the technical one below the adapters.
fn areas(rooms: &BTreeMap<Room, Vec<&str>>) -> BTreeMap<Room, Area> {
    let size = |room: Room, crates: &[&str]| {
        let rows = crates.len().div_ceil(room.columns());
        (room.columns() * (BOX.0 + GAP) + GAP, HEAD + rows * (BOX.1 + GAP))
    };
    let tallest = rooms.iter().map(|(room, crates)| size(*room, crates).1).max().unwrap_or_default();
    let (mut areas, mut left) = (BTreeMap::<Room, Area>::new(), MARGIN);
    for (room, crates) in rooms {
        let (width, height) = size(*room, crates);
        let area = if *room == Room::Technical {
            let left = areas.get(&Room::Adapters).map_or(MARGIN, |adapters| adapters.left);
            Area { left, top: MARGIN + tallest + AISLE, width, height }
        } else {
            Area { left, top: MARGIN + (tallest - height) / 2, width, height }
        };
        left = area.right() + AISLE;
        areas.insert(*room, area);
    }
    areas
}

fn svg(rooms: &BTreeMap<Room, Vec<&str>>) -> Result<String, std::fmt::Error> {
    let areas = areas(rooms);
    let width = areas.values().map(|area| area.right()).max().unwrap_or_default() + MARGIN;
    let height = areas.values().map(|area| area.bottom()).max().unwrap_or_default() + MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#7a7a7a" role="img">
<title>The rooms: what depends on what</title>
<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="#2a6fdb"/></marker></defs>
"##
    );
    for ((room, crates), Area { left, top, width, height }) in rooms.iter().zip(areas.values().copied()) {
        writeln!(
            svg,
            r##"<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6" fill="none" stroke="#7775"/>"##
        )?;
        writeln!(
            svg,
            r#"<text x="{}" y="{}" font-weight="bold">{}</text>"#,
            left + GAP,
            top + 18,
            room.name()
        )?;
        let rows = crates.len().div_ceil(room.columns());
        for (number, name) in crates.iter().enumerate() {
            // Down a column, but along the row where there is only one.
            let (x, y) =
                (left + GAP + number / rows * (BOX.0 + GAP), top + HEAD + number % rows * (BOX.1 + GAP));
            writeln!(
                svg,
                r##"<rect x="{x}" y="{y}" width="{}" height="{}" rx="4" fill="#7771" stroke="#777"/>"##,
                BOX.0, BOX.1
            )?;
            writeln!(svg, r#"<text x="{}" y="{}">{name}</text>"#, x + GAP, y + 17)?;
        }
    }
    for (from, to) in ARROWS {
        let (Some(one), Some(next)) = (areas.get(&from), areas.get(&to)) else { continue };
        let way = match (from, to) {
            (_, Room::Technical) => format!("M{},{} V{}", one.left + one.width / 2, one.bottom(), next.top),
            (Room::Technical, _) => {
                format!(
                    "M{},{} H{} V{}",
                    one.right(),
                    one.middle(),
                    next.left + next.width / 2,
                    next.bottom()
                )
            }
            _ => format!("M{},{} H{}", one.right(), one.middle(), next.left),
        };
        writeln!(
            svg,
            r##"<path d="{way}" fill="none" stroke="#2a6fdb" stroke-width="1.5" marker-end="url(#a)"/>"##
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
