//! The layout as a rule: imports go one way, the core touches nothing outside itself, adapters alone know the SDK.
#![allow(clippy::unwrap_used, clippy::string_slice, reason = "clippy takes the helpers of tests for no tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up: each may import those before it, and none of those after it.
const LAYERS: [&str; 4] = ["policy", "access", "rule", "aws"];

/// What the core must not name: SDK, runtime, logging, the file system, the environment, the clock.
const OUTSIDE: [&str; 15] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_",
    "aws_smithy_",
    "aws_types",
    "lambda_runtime",
    "tokio",
    "tracing",
    "std::env",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "SystemTime",
    "Instant::now",
    "now_utc",
];

/// Every source file below a folder of the crate, with its path and its code: no comments.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = fs::read_to_string(&path).unwrap();
                files.push((path, code));
            }
        }
    }
    assert!(!files.is_empty());
    files
}

fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules at the crate's root that code names by `crate::`, alone or in braces.
fn imports(code: &str) -> Vec<String> {
    let mut imports = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for char in group.chars() {
                match char {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => imports.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(char),
                    _ => {}
                }
            }
            imports.push(name);
        } else {
            imports.push(rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect());
        }
    }
    let root = |import: String| import.trim().split("::").next().unwrap_or_default().trim().to_owned();
    imports.into_iter().map(root).collect()
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code = "use crate::policy::{A, B}; use crate::{access::{C, D}, rule}; fn f() -> crate::aws::E {}";
    assert_eq!(imports(code), ["policy", "access", "rule", "aws"]);
}

#[test]
fn imports_go_one_way() {
    for (height, layer) in LAYERS.iter().enumerate() {
        for (path, text) in sources(&format!("src/{layer}")) {
            for import in imports(&code(&text)) {
                let allowed = LAYERS.iter().take(height + 1).any(|below| *below == import);
                assert!(allowed, "{} imports crate::{import}", path.display());
            }
        }
    }
}

#[test]
fn the_core_touches_nothing_outside_itself() {
    for layer in ["policy", "access", "rule"] {
        for (path, text) in sources(&format!("src/{layer}")) {
            for outside in OUTSIDE {
                assert!(!code(&text).contains(outside), "{} names {outside}", path.display());
            }
        }
    }
}

#[test]
fn adapters_alone_know_the_sdk() {
    let adapters = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws");
    for (path, text) in sources("src") {
        for sdk in ["aws_sdk_", "aws_config", "aws_runtime", "aws_smithy_", "aws_types"] {
            assert!(path.starts_with(&adapters) || !code(&text).contains(sdk), "{} names {sdk}", path.display());
        }
    }
}

#[test]
fn every_room_says_what_it_is() {
    for (path, text) in sources("src") {
        assert!(text.starts_with("//!"), "{} has no `//!`", path.display());
    }
}
