//! The code map of ARCHITECTURE.md names every source file, and no file that is gone.

use std::collections::BTreeSet;
use std::fs;

use crate::support::files::{files_below, root};

/// The folders that the map covers.
const COVERED: [&str; 2] = ["src", "local"];

/// Files that only declare what their folder holds. The map names the folder instead.
const INDEXES: [&str; 2] = ["mod.rs", "__init__.py"];

/// The paths in the section "Code map", from the root of the repository.
///
/// A heading in backticks names a folder. A list item that starts with a folder adds it. All other file names in backticks
/// are relative to these two.
fn named(page: &str) -> BTreeSet<String> {
    let map = page.split("\n## Code map\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let (mut heading, mut item, mut paths) = ("", "", BTreeSet::new());
    for line in map.lines() {
        let words: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        if line.starts_with('#') {
            (heading, item) = (words.first().copied().unwrap_or_default(), "");
        } else if line.starts_with("- ") {
            let starts_with_folder = words.first().filter(|word| line.starts_with("- `") && word.ends_with('/'));
            item = starts_with_folder.copied().unwrap_or_default();
        }
        let files =
            words.iter().filter(|word| !word.contains([' ', '*']) && (word.ends_with(".rs") || word.ends_with(".py")));
        paths.extend(files.map(|file| format!("{heading}{item}{file}")));
    }
    paths
}

/// The source files below the covered folders, from the root of the repository.
fn files() -> BTreeSet<String> {
    let files = COVERED.into_iter().flat_map(|folder| files_below(folder, &["rs", "py"]));
    files.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn code_map_names_every_source_file() {
    let named = named(&fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    let files = files();
    let is_index = |file: &&String| INDEXES.iter().any(|index| file.ends_with(index));
    let missing: Vec<_> = files.difference(&named).filter(|file| !is_index(file)).collect();
    let gone: Vec<_> = named.difference(&files).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
    assert!(gone.is_empty(), "ARCHITECTURE.md names files that do not exist: {gone:?}");
}

#[test]
fn code_map_paths_follow_heading_and_list_item() {
    let page = "# A\n## Code map\n### `src/`\n- `main.rs`: `x()`.\n- `a/`: one. `b.rs`: two,\n  `c/d.rs`.\n- `e.rs`.\n## B\n`f.rs`";
    let paths = ["src/main.rs", "src/a/b.rs", "src/a/c/d.rs", "src/e.rs"];
    assert_eq!(named(page), paths.map(str::to_owned).into());
}
