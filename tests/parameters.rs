//! The rule's parameters: the values that each accepts, its errors, and the credentials that an event needs.
//!
//! `tests/parameters.json` holds the values of each parameter. The tests of the templates read it too.

use std::collections::BTreeMap;
use std::fs;

use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::{Credentials, Invocation, PARAMETERS, RuleParameters};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::events::{scheduled, with};

/// The values of one parameter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    /// A value other than the default, which the rule and every template accept.
    example: String,
    /// Values that the rule and every template accept.
    accepted: Vec<String>,
    /// Values that the rule accepts and the templates refuse.
    #[serde(rename = "only the rule accepts")]
    only_the_rule_accepts: Vec<String>,
    /// Values that the rule and the templates refuse, by the rule's description of what it accepts.
    refused: BTreeMap<String, Vec<String>>,
}

fn values() -> BTreeMap<String, Values> {
    serde_json::from_str(&fs::read_to_string("tests/parameters.json").unwrap()).unwrap()
}

/// The settings with one parameter, or the errors.
fn settings(name: &str, value: &str) -> Result<String, String> {
    let parameters = RuleParameters::parse(Some(&json!({ name: value }).to_string()));
    parameters.map(|parameters| format!("{parameters:?}")).map_err(|errors| errors.to_string())
}

fn defaults() -> String {
    format!("{:?}", RuleParameters::default())
}

#[test]
fn table_every_parameter_has_values() {
    let mut names = PARAMETERS.map(|parameter| parameter.name);
    names.sort_unstable();
    assert_eq!(names.to_vec(), values().into_keys().collect::<Vec<_>>());
}

#[test]
fn table_default_is_the_default_setting() {
    for parameter in PARAMETERS {
        assert_eq!(settings(parameter.name, parameter.default), Ok(defaults()), "{}", parameter.name);
    }
}

#[test]
fn table_every_parameter_sets_its_own_setting() {
    let mut set = BTreeMap::from([(defaults(), "the defaults".to_owned())]);
    for (name, values) in values() {
        // The same value for all parameters of a kind, so that a wrong setting cannot hide behind another value.
        let kind = PARAMETERS.iter().find(|parameter| parameter.name == name).unwrap().kind();
        let value = if kind == "list of roles" { "a" } else { &values.example };
        let same = set.insert(settings(&name, value).unwrap(), name.clone());
        assert_eq!(same, None, "{name}");
    }
}

#[test]
fn table_help_is_one_line() {
    for parameter in PARAMETERS {
        assert!((10..=100).contains(&parameter.help.len()), "{}: {}", parameter.name, parameter.help);
        assert!(!parameter.help.contains('\n') && !parameter.help.ends_with('.'), "{}", parameter.name);
    }
}

#[test]
fn values_accepted_are_read() {
    for (name, values) in values() {
        for value in values.accepted.iter().chain(&values.only_the_rule_accepts).chain([&values.example]) {
            assert_eq!(settings(&name, value).err(), None, "{name}: {value}");
        }
    }
}

#[test]
fn values_refused_are_reported_with_what_is_expected() {
    for (name, values) in values() {
        for (expected, refused) in values.refused {
            for value in refused {
                let error = format!("`{name}` is `{value}`, expected {expected}");
                assert_eq!(settings(&name, &value), Err(error), "{name}: {value}");
            }
        }
    }
}

#[test]
fn criteria_are_read() {
    for (text, expected) in [
        (r#"{}"#, "ReadOnly [] false"),
        ("null", "ReadOnly [] false"),
        (r#"{"AllowedAccess":"read-only"}"#, "ReadOnly [] false"),
        (r#"{"AllowedAccess":" pull-only "}"#, "PullOnly [] false"),
        (r#"{"AllowedAccess":"cis","RequirePullAccess":"true"}"#, "Cis [] true"),
        (r#"{"AllowedAccess":"  ","RequirePullAccess":null}"#, "ReadOnly [] false"),
        (r#"{"RequirePullAccess":true}"#, "ReadOnly [] true"),
        (r#"{"RequirePullAccess":"FALSE"}"#, "ReadOnly [] false"),
        (
            r#"{"AdditionalAllowedActions":" ecr:PutImage , ecr-public:TagResource,, ecr:PutImage,"}"#,
            r#"ReadOnly ["ecr:PutImage", "ecr-public:TagResource", "ecr:PutImage"] false"#,
        ),
    ] {
        let invocation = Invocation::parse(with(scheduled(), &json!({ "ruleParameters": text }))).unwrap();
        let criteria = invocation.parameters.criteria;
        let actual = format!(
            "{:?} {:?} {}",
            criteria.allowed_access, criteria.additional_allowed_actions, criteria.require_pull_access
        );
        assert_eq!(actual, expected, "{text}");
    }
}

#[test]
fn scope_and_accounts_are_read() {
    let parameters =
        |text: &str| Invocation::parse(with(scheduled(), &json!({ "ruleParameters": text }))).unwrap().parameters;
    let none = parameters("{}");
    assert_eq!((none.scope.regions, none.exempt_tag, none.execution_role.name), (None, None, None));
    assert_eq!(none.exempt_until_tag, None);
    let all = parameters(
        r#"{"NodeRoles":"a-*","ExemptRoles":"b","ExemptTag":"Team=platform=eu","ExemptUntilTag":" Exempt until ",
            "ClusterRegions":"us-east-1, eu-west-1,us-east-1",
            "ClusterNames":"prod-*","IncludeServiceAccountRoles":"TRUE","ExecutionRoleName":"audit/reader",
            "ExecutionRoleRegion":"us-gov-east-1","AssumeRoleMode":true,"SecurityHubFindings":"true"}"#,
    );
    assert!(all.node_roles.matches("a-1", None) && all.exempt_roles.matches("b", None));
    assert_eq!(all.exempt_tag, Some(Tag::new("Team", "platform=eu")));
    assert_eq!(all.exempt_until_tag.as_deref(), Some("Exempt until"));
    assert_eq!(all.scope.regions, Some(vec!["eu-west-1".to_owned(), "us-east-1".to_owned()]));
    assert!(all.scope.includes("eu-west-1", "prod-1"));
    assert!(!all.scope.includes("eu-west-2", "prod-1") && !all.scope.includes("eu-west-1", "dev"));
    assert!(all.scope.service_accounts && all.execution_role.assume_the_events);
    assert!(all.security_hub_findings && !none.security_hub_findings);
    assert_eq!(all.execution_role.name.as_deref(), Some("audit/reader"));
    assert_eq!(all.execution_role.region.as_deref(), Some("us-gov-east-1"));
}

#[test]
fn errors_are_reported_together() {
    let names = PARAMETERS.map(|parameter| parameter.name).join("`, `");
    for (text, expected) in [
        ("[]", "`ruleParameters` is an array, expected a JSON object of parameter names and values".to_owned()),
        (
            "{",
            "`ruleParameters` is not JSON (EOF while parsing an object at line 1 column 1), expected a JSON object of \
             parameter names and values"
                .to_owned(),
        ),
        (r#"{"Allowed":""}"#, format!("`Allowed` is not a parameter of this rule: its parameters are `{names}`")),
        (
            r#"{"allowedAccess":"cis"}"#,
            "`allowedAccess` is not a parameter of this rule: names are case-sensitive, write `AllowedAccess`".to_owned(),
        ),
        (
            r#"{"AdditionalAllowedActions":["ecr:PutImage"]}"#,
            "`AdditionalAllowedActions` is `an array`, expected a string".to_owned(),
        ),
        (
            r#"{"AdditionalAllowedActions":"ecr:*,ecr:PutImage,PutImage"}"#,
            "`AdditionalAllowedActions` is `ecr:*`, `PutImage`, expected literal actions such as `ecr:PutImage`, separated \
             by commas and without wildcards"
                .to_owned(),
        ),
        (
            r#"{"NodeRoles":"a b,c","ClusterRegions":"eu-west-1,EU","ClusterNames":"a/b,shop"}"#,
            "`ClusterNames` is `a/b`, expected cluster names, separated by commas, with `*` for any text; \
             `ClusterRegions` is `EU`, expected regions such as `eu-west-1`, separated by commas; \
             `NodeRoles` is `a b`, expected role names without a path, or role ARNs, separated by commas, with `*` for any \
             text"
                .to_owned(),
        ),
        (
            r#"{"AllowedAccess":"x","Nonsense":"1","RequirePullAccess":"2"}"#,
            format!(
                "`AllowedAccess` is `x`, expected `read-only`, `pull-only` or `cis`; \
                 `Nonsense` is not a parameter of this rule: its parameters are `{names}`; \
                 `RequirePullAccess` is `2`, expected `true` or `false`"
            ),
        ),
    ] {
        let error = Invocation::parse(with(scheduled(), &json!({ "ruleParameters": text }))).unwrap_err();
        assert_eq!(error.error_type(), "InvalidRuleParameters", "{text}");
        assert_eq!(error.to_string(), format!("invalid rule parameters: {expected}"), "{text}");
    }
}

/// The credentials for an event of account 111122223333.
fn credentials(function_account: &str, parameters: &Value, execution_role_arn: &Value) -> String {
    let event = with(scheduled(), &json!({ "ruleParameters": parameters.to_string() }));
    let event = with(event, &json!({ "executionRoleArn": execution_role_arn }));
    let function = format!("arn:aws:lambda:us-east-1:{function_account}:function:rule");
    match Credentials::for_invocation(&Invocation::parse(event).unwrap(), &function) {
        Ok(Credentials::Own) => "own".to_owned(),
        Ok(Credentials::Assume { role_arn, region }) => format!("{role_arn} by {}", region.as_deref().unwrap_or("-")),
        Err(error) => format!("OtherAccount: {error}"),
    }
}

#[test]
fn credentials_other_account_needs_a_named_role() {
    const OWN: &str = "111122223333";
    const OTHER: &str = "999999999999";
    let linked = json!("arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig");
    let role = json!("arn:aws:iam::111122223333:role/reader");
    let third = json!("arn:aws:iam::222222222222:role/reader");
    let name = json!({ "ExecutionRoleName": "reader", "ExecutionRoleRegion": "eu-west-1" });
    let mode = json!({ "AssumeRoleMode": "true" });
    let none = json!({});
    let refused = |why: &str| {
        format!(
            "OtherAccount: cannot read account `111122223333` from account `999999999999`: {why}; set the rule parameter \
             `ExecutionRoleName` to a role in account `111122223333` that this function may assume"
        )
    };
    let assumed = "arn:aws:iam::111122223333:role/reader by -".to_owned();
    let named = "arn:aws:iam::111122223333:role/reader by eu-west-1".to_owned();
    for (account, parameters, event_role, expected) in [
        (OWN, &none, &linked, "own".to_owned()),
        (OWN, &name, &role, "own".to_owned()),
        (OWN, &mode, &role, "own".to_owned()),
        (OTHER, &name, &linked, named.clone()),
        (OTHER, &name, &Value::Null, named.clone()),
        (OTHER, &mode, &role, assumed),
        (
            OTHER,
            &mode,
            &linked,
            refused("the event names AWS Config's service-linked role, which no function can assume"),
        ),
        (
            OTHER,
            &none,
            &linked,
            refused("the event names AWS Config's service-linked role, which no function can assume"),
        ),
        (OTHER, &none, &role, refused("no parameter names a role")),
        (OTHER, &mode, &third, refused("the role that the event names is in a third account")),
        (OTHER, &mode, &Value::Null, refused("`AssumeRoleMode` is `true`, but the event names no role")),
        ("", &none, &linked, "own".to_owned()),
        ("", &name, &linked, named),
    ] {
        assert_eq!(credentials(account, parameters, event_role), expected, "{account} {parameters} {event_role}");
    }
}

#[test]
fn credentials_cut_function_arn_still_shows_its_account() {
    for (function, own) in [("arn:aws:lambda:us-east-1:999999999999", false), ("function-arn", true)] {
        let credentials = Credentials::for_invocation(&Invocation::parse(scheduled()).unwrap(), function);
        assert_eq!(credentials.is_ok_and(|credentials| credentials == Credentials::Own), own, "{function}");
    }
}
