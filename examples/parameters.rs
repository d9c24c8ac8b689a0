//! Prints the table of the rule's parameters as JSON.
//!
//! A list with one object for each parameter: `{"name", "kind", "default", "usedIn", "help"}`. `usedIn` is
//! `every account` or `other accounts`. The tests of the templates and of the reference page read it.
#![allow(missing_docs, reason = "a program without public items")]

use std::io;

use ecr_read_only::rule::{PARAMETERS, UsedIn};
use serde_json::{Value, json};

fn main() -> Result<(), serde_json::Error> {
    let table: Vec<Value> = PARAMETERS
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "kind": parameter.kind(),
                "default": parameter.default,
                "usedIn": match parameter.used_in {
                    UsedIn::EveryAccount => "every account",
                    UsedIn::OtherAccounts => "other accounts",
                },
                "help": parameter.help,
            })
        })
        .collect();
    serde_json::to_writer_pretty(io::stdout().lock(), &table)
}
