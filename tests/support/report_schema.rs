//! Checks JSON reports of the command line against `docs/reference/report.schema.json`.
//!
//! Knows the part of JSON Schema that this schema uses; every other keyword is a fault. A crate for all of JSON Schema
//! would double the number of packages that the tests build. `tests/local/docs/test_report_schema.py` validates with a
//! complete implementation.

use serde_json::Value;

/// Reads a JSON report.
///
/// # Panics
/// The text is not JSON, or does not have the form of the schema.
pub(crate) fn checked_report(text: &[u8]) -> Value {
    let report = serde_json::from_slice(text).unwrap();
    let faults = faults(&report);
    assert!(faults.is_empty(), "the report does not have the form of the schema:\n{}", faults.join("\n"));
    report
}

/// What the schema does not allow, with the path to each place.
pub(crate) fn faults(report: &Value) -> Vec<String> {
    let schema = serde_json::from_str(include_str!("../../docs/reference/report.schema.json")).unwrap();
    let mut checker = Checker { schema: &schema, faults: Vec::new() };
    checker.check(&schema, report, "$");
    checker.faults
}

struct Checker<'s> {
    schema: &'s Value,
    faults: Vec<String>,
}

impl<'s> Checker<'s> {
    fn check(&mut self, schema: &'s Value, value: &Value, path: &str) {
        let Value::Object(keywords) = schema else {
            if schema == &Value::Bool(false) {
                self.faults.push(format!("{path} is not allowed"));
            }
            return;
        };
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                // Only the complete implementation checks patterns.
                "$schema" | "$defs" | "title" | "description" | "pattern" => {}
                "$ref" => {
                    let target = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.check(self.schema.pointer(target).unwrap(), value, path);
                }
                "type" => {
                    let types = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                    self.expect(types.iter().any(|one| one == kind(value)), value, path, rule);
                }
                "const" => self.expect(value == rule, value, path, rule),
                "enum" => self.expect(rule.as_array().unwrap().contains(value), value, path, rule),
                "required" => {
                    for name in rule.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            self.faults.push(format!("{path} has no {name}"));
                        }
                    }
                }
                "properties" => {
                    for (name, schema) in rule.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{path}.{name}"));
                        }
                    }
                }
                "additionalProperties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if schema["properties"].get(name).is_none() {
                            self.check(rule, value, &format!("{path}.{name}"));
                        }
                    }
                }
                "items" => {
                    for (place, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, value, &format!("{path}[{place}]"));
                    }
                }
                "oneOf" => {
                    let fits = |schema: &&Value| {
                        let mut checker = Checker { schema: self.schema, faults: Vec::new() };
                        checker.check(schema, value, path);
                        checker.faults.is_empty()
                    };
                    let fitting = rule.as_array().unwrap().iter().filter(fits).count();
                    self.expect(fitting == 1, value, path, rule);
                }
                other => self.faults.push(format!("this check does not know the keyword `{other}` of JSON Schema")),
            }
        }
    }

    fn expect(&mut self, fits: bool, value: &Value, path: &str, rule: &Value) {
        if !fits {
            self.faults.push(format!("{path} is {value}, expected {rule}"));
        }
    }
}

/// The type of a value, as JSON Schema names it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
