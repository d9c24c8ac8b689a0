//! Decides with the tests' own evaluator of single requests whether IAM allows a role's requests.
//!
//! Reads from the standard input:
//! `{"role": {"arn", "id", "trust", "policies": [[name, document], …]},
//! "requests": [{"action", "resource", "context": {key: [value, …]}}, …]}`.
//! Writes a list with one decision for each request, in the same order: `{"allowed", "certain", "allows": [Sid, …]}`.
//! `tests/local/deploy/test_permissions.py` uses it for the function's calls.
#![allow(missing_docs, reason = "a program without public items")]

#[path = "../tests/support/naive/mod.rs"]
mod naive;

use serde_json::{Value, json};
use std::error::Error;
use std::io;

use naive::{Judge, Request, RoleDocs};

fn main() -> Result<(), Box<dyn Error>> {
    let asked: Value = serde_json::from_reader(io::stdin().lock())?;
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("no text `{field}` in {value}"))
    };
    let of = |value: &Value, field: &str| value.get(field).cloned().ok_or_else(|| format!("no `{field}` in the input"));
    let role = of(&asked, "role")?;
    let docs = RoleDocs {
        arn: text(&role, "arn")?,
        id: text(&role, "id")?,
        tags: Vec::new(),
        trust: of(&role, "trust")?,
        policies: serde_json::from_value(of(&role, "policies")?)?,
        boundary: None,
        session: None,
    };
    let judge = Judge::new(&docs)?;
    let mut decisions = Vec::new();
    for request in of(&asked, "requests")?.as_array().into_iter().flatten() {
        let request = Request {
            action: text(request, "action")?,
            resource: text(request, "resource")?,
            context: serde_json::from_value(of(request, "context")?)?,
        };
        let answer = judge.allowed(&request)?;
        let allows: Vec<_> = answer.allows.into_iter().filter_map(|matched| matched.sid).collect();
        decisions.push(json!({"allowed": answer.allowed, "certain": answer.certain, "allows": allows}));
    }
    serde_json::to_writer(io::stdout().lock(), &decisions)?;
    Ok(())
}
