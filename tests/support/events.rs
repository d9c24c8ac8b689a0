//! Events as AWS Config sends them, built from their parts.

use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const CAPTURED: &str = "2026-01-05T10:02:33.123Z";
pub const CREATED: &str = "2026-01-05T10:02:40.500Z";

pub const EC2_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const LAMBDA_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The event around an invoking event.
pub fn event(invoking: &Value) -> Value {
    json!({
        "version": "1.0",
        "invokingEvent": invoking.to_string(),
        "ruleParameters": "{}",
        "resultToken": "a-token",
        "eventLeftScope": false,
        "executionRoleArn": "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "configRuleArn": "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef",
        "configRuleName": "nodes-read-only",
        "configRuleId": "config-rule-abcdef",
        "accountId": ACCOUNT,
        "evaluationMode": "DETECTIVE",
    })
}

/// The value with other fields. A field that is null in `changes` is removed.
pub fn with(mut value: Value, changes: &Value) -> Value {
    let fields = value.as_object_mut().unwrap();
    for (name, change) in changes.as_object().unwrap() {
        if change.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), change.clone());
        }
    }
    value
}

/// The event of a changed resource.
pub fn change(item: &Value) -> Value {
    event(&json!({
        "configurationItemDiff": null,
        "configurationItem": item,
        "notificationCreationTime": CREATED,
        "messageType": "ConfigurationItemChangeNotification",
        "recordVersion": "1.3",
    }))
}

/// The event of a changed resource whose item is too large for an event.
pub fn oversized(summary: &Value) -> Value {
    event(&json!({
        "configurationItemSummary": summary,
        "messageType": "OversizedConfigurationItemChangeNotification",
    }))
}

/// The event of a schedule.
pub fn scheduled() -> Value {
    event(&json!({
        "awsAccountId": ACCOUNT,
        "notificationCreationTime": CREATED,
        "messageType": "ScheduledNotification",
        "recordVersion": "1.0",
    }))
}

/// The event of the role `nodes` (`AROANODES`), which EC2 can assume.
pub fn nodes_changed() -> Value {
    change(&role_item("nodes", "AROANODES", EC2_TRUST))
}

/// The event of the customer managed policy `app` (`ANPAAPP`).
pub fn app_changed() -> Value {
    change(&policy_item("app", "ANPAAPP"))
}

/// The item of a role, with its trust policy as plain text.
pub fn role_item(name: &str, id: &str, trust_policy: &str) -> Value {
    json!({
        "ARN": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "awsAccountId": ACCOUNT,
        "awsRegion": "global",
        "configuration": {
            "roleName": name,
            "roleId": id,
            "arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "assumeRolePolicyDocument": trust_policy,
            "rolePolicyList": [],
        },
        "configurationItemCaptureTime": CAPTURED,
        "configurationItemStatus": "OK",
        "resourceId": id,
        "resourceName": name,
        "resourceType": "AWS::IAM::Role",
        "relationships": [],
        "tags": {},
    })
}

/// The summary of a role in an oversized notification.
pub fn role_summary(name: &str, id: &str) -> Value {
    json!({
        "changeType": "UPDATE",
        "ARN": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "awsAccountId": ACCOUNT,
        "configurationItemCaptureTime": CAPTURED,
        "configurationItemStatus": "OK",
        "resourceId": id,
        "resourceName": null,
        "resourceType": "AWS::IAM::Role",
    })
}

/// The item of a customer managed policy.
pub fn policy_item(name: &str, id: &str) -> Value {
    json!({
        "ARN": format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
        "awsAccountId": ACCOUNT,
        "configuration": {"policyName": name, "policyId": id, "defaultVersionId": "v2"},
        "configurationItemCaptureTime": CAPTURED,
        "configurationItemStatus": "OK",
        "resourceId": id,
        "resourceName": name,
        "resourceType": "AWS::IAM::Policy",
    })
}
