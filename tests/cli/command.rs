//! Runs the command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::report_schema::checked_report;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ecr-read-only");

/// Runs `check` on standard input.
pub(crate) fn run(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = Command::new(BINARY)
        .args(["check", "--account-details", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // With bad options the command ends before it reads its input.
    let _closed = child.stdin.take().unwrap().write_all(input.as_ref());
    child.wait_with_output().unwrap()
}

/// The roles of the JSON report, and the exit status.
pub(crate) fn report(arguments: &[&str], input: &Value) -> (Vec<Value>, i32) {
    let output = run(&[&["--format", "json"], arguments].concat(), input.to_string());
    let report = checked_report(&output.stdout);
    (report["roles"].as_array().unwrap().clone(), output.status.code().unwrap())
}
