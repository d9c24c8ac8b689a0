//! The inputs in `tests/field/`: files as people have them, with the right answers in `expected.json`.
//!
//! A row runs `check --account-details FILE OPTIONS` twice, for the text report and for the JSON report:
//!
//! - `file`, `options`, `because`; `exit`: the exit status;
//! - `roles`: for each role of the JSON report, in its order, the values at some paths, such as
//!   `{"verdict": "NON_COMPLIANT", "excess/0/action": "ecr:PutImage"}`. Without `roles` there is no report;
//! - `stdout`: texts that the text report contains; `stderr`: everything on standard error.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::Value;

use crate::command::BINARY;
use crate::report_schema::checked_report;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    file: String,
    #[serde(default)]
    options: Vec<String>,
    exit: i32,
    roles: Option<Vec<BTreeMap<String, Value>>>,
    #[serde(default)]
    stdout: Vec<String>,
    #[serde(default)]
    stderr: String,
    #[serde(rename = "because")]
    _because: String,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../field/expected.json")).unwrap()
}

/// Runs `check` from the root of the repository, so that paths in messages are the same everywhere.
fn check(row: &Row, format: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["check", "--format", format, "--account-details"]);
    command.arg(Path::new("tests/field").join(&row.file)).args(&row.options).output().unwrap()
}

/// The differences between a row and the command.
fn differences(row: &Row) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, actual: &str, expected: &str| {
        if actual != expected {
            found.push(format!("{name}: expected {expected}\n    found {actual}"));
        }
    };
    let (text, json) = (check(row, "text"), check(row, "json"));
    for output in [&text, &json] {
        compare("exit status", &output.status.code().unwrap().to_string(), &row.exit.to_string());
        compare("stderr", str::from_utf8(&output.stderr).unwrap(), &row.stderr);
    }
    match &row.roles {
        None => {
            compare("stdout", str::from_utf8(&text.stdout).unwrap(), "");
            compare("JSON on stdout", str::from_utf8(&json.stdout).unwrap(), "");
        }
        Some(expected) => {
            let report = checked_report(&json.stdout);
            let roles = report["roles"].as_array().unwrap();
            compare("roles", &roles.len().to_string(), &expected.len().to_string());
            for (role, expected) in roles.iter().zip(expected) {
                for (path, expected) in expected {
                    let actual = role.pointer(&format!("/{path}")).unwrap_or(&Value::Null);
                    compare(&format!("{} {path}", role["role_name"]), &actual.to_string(), &expected.to_string());
                }
            }
        }
    }
    let text = str::from_utf8(&text.stdout).unwrap();
    for expected in &row.stdout {
        if !text.contains(expected) {
            found.push(format!("stdout: expected {expected}\n    found {text}"));
        }
    }
    found
}

#[test]
fn field_files_get_the_expected_answers() {
    let rows = rows();
    let mut failures = Vec::new();
    for row in &rows {
        let differences = differences(row);
        if !differences.is_empty() {
            failures.push(format!("{} {:?}\n  {}", row.file, row.options, differences.join("\n  ")));
        }
    }
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn every_field_file_has_a_row() {
    let rows = rows();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field");
    let mut files = 0;
    for (prefix, folder) in [("", folder.clone()), ("forms/", folder.join("forms"))] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = format!("{prefix}{}", entry.unwrap().file_name().to_str().unwrap());
            if name.contains('.') && name != "expected.json" {
                assert!(rows.iter().any(|row| row.file == name), "expected.json has no row for {name}");
                files += 1;
            }
        }
    }
    assert!(files > 20, "{files}");
}
