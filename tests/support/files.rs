//! The files of the checkout, for tests of the layout.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with one of these extensions, by its path from the root. At least one.
pub fn files_below(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| extensions.iter().any(|extension| own == *extension)) {
                files.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    assert!(!files.is_empty());
    files
}
