//! Any text as a policy document. Parsing accepts or refuses it, and never panics. A document that is accepted is JSON, is
//! the same when percent-encoded, and gets decisions.
#![no_main]

use std::sync::Arc;

use ecr_read_only::access::{Criteria, Policy, PolicySource, Role, judge, refusals};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, TrustPolicy};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use time::OffsetDateTime;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012","Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}"#;

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fuzz_target!(|text: &str| {
    let _read_or_refused = TrustPolicy::parse(text);
    let Ok(document) = Document::parse(text) else { return };
    let encoded = Document::parse(&percent_encoded(text));
    if text.trim_start().starts_with('{') {
        assert!(serde_json::from_str::<Value>(text).is_ok(), "not JSON");
        let encoded = encoded.expect("a document accepted as plain text is accepted encoded");
        assert_eq!(format!("{:?}", document.statements), format!("{:?}", encoded.statements));
    }
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/node".to_owned(),
        id: "AROAEXAMPLEEXAMPLE123".to_owned(),
        trust_policy: TrustPolicy::parse(TRUST).expect("a trust policy"),
        tags: vec![Tag::new("team", "a")],
        policies: vec![Policy { source: PolicySource::Inline("inline".to_owned()), document: Arc::new(document) }],
        permissions_boundary: None,
        session_policy: None,
    };
    let at = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("an instant");
    let verdict = || judge(&role, &Criteria::default(), at);
    assert_eq!(verdict(), verdict());
    let _why = refusals(&role, at);
});
