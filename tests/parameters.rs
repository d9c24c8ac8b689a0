//! The rule's parameters: what they mean, what is said of those that mean nothing, and whose credentials they ask for.

use crate::support::events::{scheduled, with};
use ecr_read_only::rule::{Credentials, Invocation};
use serde_json::{Value, json};

#[test]
fn parameters_are_read() {
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
fn parameters_of_scope_and_accounts_are_read() {
    let parameters =
        |text: &str| Invocation::parse(with(scheduled(), &json!({ "ruleParameters": text }))).unwrap().parameters;
    let none = parameters("{}");
    assert_eq!((none.scope.regions, none.exempt_tag, none.execution_role.name), (None, None, None));
    let all = parameters(
        r#"{"NodeRoles":"a-*","ExemptRoles":"b","ExemptTag":"Team=platform=eu","ClusterRegions":"us-east-1, eu-west-1,us-east-1",
            "ClusterNames":"prod-*","IncludeServiceAccountRoles":"TRUE","ExecutionRoleName":"audit/reader",
            "ExecutionRoleRegion":"us-gov-east-1","AssumeRoleMode":true,"SecurityHubFindings":"true"}"#,
    );
    assert!(all.node_roles.matches("a-1", None) && all.exempt_roles.matches("b", None));
    assert_eq!(all.exempt_tag, Some(("Team".to_owned(), "platform=eu".to_owned())));
    assert_eq!(all.scope.regions, Some(vec!["eu-west-1".to_owned(), "us-east-1".to_owned()]));
    assert!(all.scope.includes("eu-west-1", "prod-1"));
    assert!(!all.scope.includes("eu-west-2", "prod-1") && !all.scope.includes("eu-west-1", "dev"));
    assert!(all.scope.service_accounts && all.execution_role.assume_the_events);
    assert!(all.security_hub_findings && !none.security_hub_findings);
    assert_eq!(all.execution_role.name.as_deref(), Some("audit/reader"));
    assert_eq!(all.execution_role.region.as_deref(), Some("us-gov-east-1"));
}

/// Whose credentials an event of account 111122223333 asks for.
fn credentials(function_account: &str, parameters: &Value, execution_role_arn: &Value) -> String {
    let event = with(scheduled(), &json!({ "ruleParameters": parameters.to_string() }));
    let event = with(event, &json!({ "executionRoleArn": execution_role_arn }));
    let function = format!("arn:aws:lambda:us-east-1:{function_account}:function:rule");
    match Invocation::parse(event).unwrap().credentials(&function) {
        Ok(Credentials::Own) => "own".to_owned(),
        Ok(Credentials::Assume { role_arn, region }) => format!("{role_arn} by {}", region.as_deref().unwrap_or("-")),
        Err(error) => format!("{}: {error}", error.type_name()),
    }
}

#[test]
fn another_account_is_read_by_a_role_that_is_named_and_nothing_else() {
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
            "OtherAccount: the event is of account `111122223333`, the function's own is `999999999999`, and {why}: set \
             the rule's parameter `ExecutionRoleName` to the name of a role in account `111122223333` that this function \
             may assume"
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
            refused("the role that the event names is AWS Config's service-linked role, which no function can assume"),
        ),
        (
            OTHER,
            &none,
            &linked,
            refused("the role that the event names is AWS Config's service-linked role, which no function can assume"),
        ),
        (OTHER, &none, &role, refused("nothing says which role to assume there")),
        (OTHER, &mode, &third, refused("the role that the event names lies in a third account")),
        (OTHER, &mode, &Value::Null, refused("the event names no role, though `AssumeRoleMode` is `true`")),
        ("", &none, &linked, "own".to_owned()),
        ("", &name, &linked, named),
    ] {
        assert_eq!(credentials(account, parameters, event_role), expected, "{account} {parameters} {event_role}");
    }
}

#[test]
fn all_that_is_wrong_with_the_parameters_is_said_at_once() {
    let actions = "expected literal actions such as `ecr:PutImage`, separated by commas and without wildcards";
    let known = "it takes `AllowedAccess`, `AdditionalAllowedActions`, `RequirePullAccess`, `NodeRoles`, `ExemptRoles`, \
                 `ExemptTag`, `ClusterRegions`, `ClusterNames`, `IncludeServiceAccountRoles`, `ExecutionRoleName`, \
                 `ExecutionRoleRegion`, `AssumeRoleMode`, `SecurityHubFindings`";
    for (text, expected) in [
        ("[]", "`ruleParameters` is an array, expected a JSON object of parameter names and values".to_owned()),
        (
            "{",
            "`ruleParameters` is not JSON (EOF while parsing an object at line 1 column 1), expected a JSON object of \
             parameter names and values"
                .to_owned(),
        ),
        (r#"{"Allowed":""}"#, format!("`Allowed` is not a parameter of this rule: {known}")),
        (
            r#"{"allowedAccess":"cis"}"#,
            "`allowedAccess` is not a parameter of this rule: names are case-sensitive, and this one is `AllowedAccess`"
                .to_owned(),
        ),
        (
            r#"{"AllowedAccess":"none"}"#,
            "`AllowedAccess` is `none`, expected `read-only`, `pull-only` or `cis`".to_owned(),
        ),
        (r#"{"RequirePullAccess":"yes"}"#, "`RequirePullAccess` is `yes`, expected `true` or `false`".to_owned()),
        (
            r#"{"AdditionalAllowedActions":"ecr:*,PutImage,ecr:Put Image,:a,a:"}"#,
            format!("`AdditionalAllowedActions` is `ecr:*`, `PutImage`, `ecr:Put Image`, `:a`, `a:`, {actions}"),
        ),
        (
            r#"{"AdditionalAllowedActions":["ecr:PutImage"]}"#,
            "`AdditionalAllowedActions` is `an array`, expected a string".to_owned(),
        ),
        (
            r#"{"NodeRoles":"a b,c","ExemptRoles":"arn:aws:iam::1:user/u","ExemptTag":"=x","ClusterRegions":"eu-west-1,EU",
                "ClusterNames":"a/b","IncludeServiceAccountRoles":"1","ExecutionRoleName":"/x","ExecutionRoleRegion":"x",
                "AssumeRoleMode":"no","SecurityHubFindings":"on"}"#,
            "`AssumeRoleMode` is `no`, expected `true` or `false`; \
             `ClusterNames` is `a/b`, expected names of clusters, separated by commas, with `*` for any text; \
             `ClusterRegions` is `EU`, expected regions such as `eu-west-1`, separated by commas; \
             `ExecutionRoleName` is `/x`, expected the name of a role, with its path if it has one; \
             `ExecutionRoleRegion` is `x`, expected a region such as `eu-west-1`; \
             `ExemptRoles` is `arn:aws:iam::1:user/u`, expected ARNs of roles or names without a path, separated by \
             commas, with `*` for any text; \
             `ExemptTag` is `=x`, expected a tag as `Key=Value`; \
             `IncludeServiceAccountRoles` is `1`, expected `true` or `false`; \
             `NodeRoles` is `a b`, expected ARNs of roles or names without a path, separated by commas, with `*` for any \
             text; \
             `SecurityHubFindings` is `on`, expected `true` or `false`"
                .to_owned(),
        ),
        (
            r#"{"ExecutionRoleName":"aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"}"#,
            "`ExecutionRoleName` is `aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig`, expected a role that \
             can be assumed: services alone assume their service-linked roles"
                .to_owned(),
        ),
        (
            r#"{"AllowedAccess":"x","Nonsense":"1","RequirePullAccess":"2"}"#,
            format!(
                "`AllowedAccess` is `x`, expected `read-only`, `pull-only` or `cis`; \
                 `Nonsense` is not a parameter of this rule: {known}; \
                 `RequirePullAccess` is `2`, expected `true` or `false`"
            ),
        ),
    ] {
        let error = Invocation::parse(with(scheduled(), &json!({ "ruleParameters": text }))).unwrap_err();
        assert_eq!(error.type_name(), "InvalidRuleParameters", "{text}");
        assert_eq!(error.to_string(), format!("invalid rule parameters: {expected}"), "{text}");
    }
}
