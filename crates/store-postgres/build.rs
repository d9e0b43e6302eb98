//! The migrations are compiled in: a new or changed one must be noticed.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
