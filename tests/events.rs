//! Reading events: every message type and status, every spelling of real events, and the errors of all others.

use crate::support::events::{
    CAPTURED, CREATED, EC2_TRUST, change, event, oversized, policy_item, role_item, role_summary, scheduled, with,
};
use ecr_read_only::rule::{Invocation, Origin, Trigger};
use serde_json::{Value, json};

/// The trigger of an event on one line, or the error.
fn trigger(payload: &Value) -> String {
    match Invocation::parse(payload.clone()) {
        Err(error) => format!("{}: {error}", error.error_type()),
        Ok(invocation) => {
            assert_eq!(invocation.account_id, "111122223333");
            match invocation.trigger {
                Trigger::RoleChanged(role) => {
                    let trust = role.trust_policy.map_or("no trust policy", |_| "trust policy");
                    format!("role {} {} {} {trust}", role.id, role.name, role.arn.as_deref().unwrap_or("-"))
                }
                Trigger::PolicyChanged(policy) => format!("policy {} {}", policy.id, policy.arn),
                Trigger::InstanceProfileChanged(changed) => format!("instance profile {} {}", changed.id, changed.name),
                Trigger::ClusterChanged(changed) => {
                    let profile = changed.fargate_profile.as_deref().unwrap_or("-");
                    format!("cluster {} {} {profile}", changed.id, changed.cluster)
                }
                Trigger::OtherResource(resource) => format!("other {resource}"),
                Trigger::OutOfScope { resource, reason } => format!("{reason:?} {resource}"),
                Trigger::AllRoles { rule_name } => format!("all roles {rule_name}"),
            }
        }
    }
}

fn item() -> Value {
    role_item("nodes", "AROANODES", EC2_TRUST)
}

const ROLE: &str = "role AROANODES nodes arn:aws:iam::111122223333:role/nodes trust policy";
const POLICY: &str = "policy ANPAAPP arn:aws:iam::111122223333:policy/app";
const BARE_ROLE: &str = "role AROANODES nodes arn:aws:iam::111122223333:role/nodes no trust policy";

#[test]
fn event_messages_and_statuses_give_triggers() {
    let deleted = json!({
        "configurationItemStatus": "ResourceDeleted", "configuration": null, "ARN": null, "resourceName": null,
    });
    let of_eks = |resource_type: &str, id: &str, arn: Option<&str>| {
        change(&json!({
            "resourceType": resource_type, "resourceId": id, "configuration": {}, "ARN": arn, "awsRegion": "us-east-1",
            "configurationItemCaptureTime": CAPTURED, "configurationItemStatus": "OK",
        }))
    };
    let cluster = |arn| of_eks("AWS::EKS::Cluster", "prod", arn);
    let profile = "arn:aws:eks:eu-west-1:111122223333:fargateprofile/prod/web/1a2b";
    let snapshot = json!({
        "configSnapshotId": "1", "s3ObjectKey": "key", "s3Bucket": "bucket", "recordVersion": "1.1",
        "notificationCreationTime": CREATED, "messageType": "ConfigurationSnapshotDeliveryCompleted",
    });
    let status = |status: &str| change(&with(item(), &json!({ "configurationItemStatus": status })));
    for (name, payload, expected) in [
        ("a changed role", change(&item()), ROLE),
        ("a discovered role", status("ResourceDiscovered"), ROLE),
        ("a role that is not recorded", status("ResourceNotRecorded"), "NotRecorded AWS::IAM::Role `AROANODES`"),
        (
            "a deleted role that is not recorded",
            status("ResourceDeletedNotRecorded"),
            "Deleted AWS::IAM::Role `AROANODES`",
        ),
        (
            "a deleted role",
            with(change(&with(item(), &deleted)), &json!({ "eventLeftScope": true })),
            "Deleted AWS::IAM::Role `AROANODES`",
        ),
        (
            "a role that left the scope",
            with(change(&item()), &json!({ "eventLeftScope": true })),
            "LeftScope AWS::IAM::Role `AROANODES`",
        ),
        (
            "a changed policy",
            change(&policy_item("app", "ANPAAPP")),
            "policy ANPAAPP arn:aws:iam::111122223333:policy/app",
        ),
        (
            "a cluster",
            cluster(Some("arn:aws:eks:eu-west-1:111122223333:cluster/prod")),
            "cluster prod prod, eu-west-1 -",
        ),
        ("a cluster without an ARN", cluster(None), "cluster prod prod, us-east-1 -"),
        (
            "a Fargate profile",
            of_eks("AWS::EKS::FargateProfile", "prod|web", Some(profile)),
            "cluster prod|web prod, eu-west-1 web",
        ),
        ("an add-on", of_eks("AWS::EKS::Addon", "prod|cni", None), "other AWS::EKS::Addon `prod|cni`"),
        (
            "an instance profile",
            of_eks("AWS::IAM::InstanceProfile", "AIPA1", Some("arn:aws:iam::111122223333:instance-profile/a/p")),
            "instance profile AIPA1 p",
        ),
        ("an oversized role", oversized(&role_summary("nodes", "AROANODES")), BARE_ROLE),
        (
            "a deleted oversized role",
            oversized(&with(role_summary("nodes", "AROANODES"), &json!({ "changeType": "DELETE", "ARN": null }))),
            "Deleted AWS::IAM::Role `AROANODES`",
        ),
        ("the schedule", scheduled(), "all roles nodes-read-only"),
        ("a snapshot", event(&snapshot), "all roles nodes-read-only"),
    ] {
        assert_eq!(trigger(&payload), expected, "{name}");
    }
}

#[test]
fn event_spellings_of_real_events_are_understood() {
    let configured = |changes: Value| {
        let mut item = item();
        item["configuration"] = with(item["configuration"].clone(), &changes);
        change(&item)
    };
    let nested: Value = serde_json::from_str(EC2_TRUST).unwrap();
    let mut in_text = item();
    in_text["configuration"] = json!(in_text["configuration"].to_string());
    let history = with(
        item(),
        &json!({
            "ARN": null, "arn": "arn:aws:iam::111122223333:role/nodes",
            "awsAccountId": null, "accountId": "111122223333",
        }),
    );
    let unpathed = with(item(), &json!({ "resourceName": null, "configuration": null }));
    let pathed = json!({ "ARN": "arn:aws:iam::111122223333:role/a/b/nodes", "configuration": null });
    for (name, payload, expected) in [
        ("no left scope", with(change(&item()), &json!({ "eventLeftScope": null })), ROLE),
        ("left scope as a string", with(change(&item()), &json!({ "eventLeftScope": "False" })), ROLE),
        ("left scope empty", with(change(&item()), &json!({ "eventLeftScope": "" })), ROLE),
        (
            "left scope as a string, true",
            with(change(&item()), &json!({ "eventLeftScope": "true" })),
            "LeftScope AWS::IAM::Role `AROANODES`",
        ),
        ("an account as a number", with(change(&item()), &json!({ "accountId": 111_122_223_333_u64 })), ROLE),
        ("only the item's account", with(change(&item()), &json!({ "accountId": null })), ROLE),
        (
            "unknown fields of any type",
            with(change(&item()), &json!({ "futureField": [1, { "a": null }], "version": 1.0, "configRuleId": {} })),
            ROLE,
        ),
        (
            "an invoking event that is an object",
            with(
                change(&item()),
                &json!({ "invokingEvent": {
                "messageType": "ConfigurationItemChangeNotification", "configurationItem": item(),
            } }),
            ),
            ROLE,
        ),
        ("no parameters", with(change(&item()), &json!({ "ruleParameters": null })), ROLE),
        ("empty parameters", with(change(&item()), &json!({ "ruleParameters": "" })), ROLE),
        ("no rule name, which a change does not need", with(change(&item()), &json!({ "configRuleName": "" })), ROLE),
        ("no status", change(&with(item(), &json!({ "configurationItemStatus": null }))), ROLE),
        ("a status in capitals", change(&with(item(), &json!({ "configurationItemStatus": "Ok" }))), ROLE),
        ("no resource name", change(&with(item(), &json!({ "resourceName": null }))), ROLE),
        ("only the ARN's name", change(&unpathed), BARE_ROLE),
        (
            "an ARN with a path",
            change(&with(unpathed.clone(), &pathed)),
            "role AROANODES nodes arn:aws:iam::111122223333:role/a/b/nodes no trust policy",
        ),
        ("only the configuration's id", change(&with(item(), &json!({ "resourceId": "" }))), ROLE),
        ("only the configuration's ARN", change(&with(item(), &json!({ "ARN": null }))), ROLE),
        ("the spelling of the history", change(&history), ROLE),
        ("a configuration in a string", change(&in_text), ROLE),
        ("a trust policy that is an object", configured(json!({ "assumeRolePolicyDocument": nested })), ROLE),
        ("an empty trust policy", configured(json!({ "assumeRolePolicyDocument": "" })), BARE_ROLE),
    ] {
        assert_eq!(trigger(&payload), expected, "{name}");
    }
}

#[test]
fn answer_time_is_the_capture_or_notification_time() {
    let at = |payload: Value| {
        let at = Invocation::parse(payload).unwrap().ordering_timestamp;
        at.unix_timestamp_nanos() / 1_000_000 - 1_767_607_353_000
    };
    let captured = |text: &str| change(&with(item(), &json!({ "configurationItemCaptureTime": text })));
    assert_eq!(at(change(&item())), 123);
    assert_eq!(at(captured("2026-01-05T10:02:33Z")), 0);
    assert_eq!(at(captured("2026-01-05T12:02:33.123+02:00")), 123);
    assert_eq!(at(captured("2026-01-05T12:02:33.123+0200")), 123);
    assert_eq!(at(captured("2026-01-05T10:02:33.123456789Z")), 123);
    assert_eq!(at(captured("")), 7_500, "the notification's time if the item has none");
    assert_eq!(at(scheduled()), 7_500);
}

#[test]
fn event_not_understood_is_an_error_with_its_path() {
    let invoking = |text: &str| with(scheduled(), &json!({ "invokingEvent": text }));
    let types = "expected `ConfigurationItemChangeNotification`, `OversizedConfigurationItemChangeNotification`, \
                 `ScheduledNotification` or `ConfigurationSnapshotDeliveryCompleted`";
    let instants = "expected a time in ISO 8601, such as `2026-01-05T10:02:33.123Z`";
    let changed = |changes: Value| change(&with(item(), &changes));
    let documents = |changes: Value| changed(json!({ "configuration": changes }));
    let nameless = json!({ "resourceName": null, "configuration": null, "ARN": null });
    let item_path = "invokingEvent.configurationItem";
    let findings = || with(scheduled(), &json!({ "ruleParameters": { "SecurityHubFindings": true } }));
    for (payload, expected) in [
        (json!(null), "the event is null, not a JSON object".to_owned()),
        (json!([]), "the event is an array, not a JSON object".to_owned()),
        (json!("x"), "the event is a string, not a JSON object".to_owned()),
        (json!({}), "`invokingEvent` is absent".to_owned()),
        (invoking(""), "`invokingEvent` is absent".to_owned()),
        (invoking("{"), "`invokingEvent` is not JSON: EOF while parsing an object at line 1 column 1".to_owned()),
        (invoking("[]"), "`invokingEvent` is an array, expected an object".to_owned()),
        (
            with(scheduled(), &json!({ "invokingEvent": [] })),
            "`invokingEvent` is an array, expected a string".to_owned(),
        ),
        (invoking("{}"), "`invokingEvent.messageType` is absent".to_owned()),
        (invoking(r#"{"messageType":{}}"#), "`invokingEvent.messageType` is an object, expected a string".to_owned()),
        (invoking(r#"{"messageType":"Hello"}"#), format!("`invokingEvent.messageType` is `Hello`, {types}")),
        (
            invoking(r#"{"messageType":"ScheduledNotification"}"#),
            "`invokingEvent.notificationCreationTime` is absent".to_owned(),
        ),
        (
            invoking(r#"{"messageType":"ConfigurationItemChangeNotification","configurationItem":null}"#),
            format!("`{item_path}` is absent"),
        ),
        (
            invoking(r#"{"messageType":"OversizedConfigurationItemChangeNotification"}"#),
            "`invokingEvent.configurationItemSummary` is absent".to_owned(),
        ),
        (with(scheduled(), &json!({ "resultToken": null })), "`resultToken` is absent".to_owned()),
        (
            with(scheduled(), &json!({ "resultToken": ["s3cret"] })),
            "`resultToken` is an array, expected a string".to_owned(),
        ),
        (with(scheduled(), &json!({ "configRuleName": null })), "`configRuleName` is absent".to_owned()),
        (with(findings(), &json!({ "configRuleName": null })), "`configRuleName` is absent".to_owned()),
        (with(findings(), &json!({ "configRuleArn": null })), "`configRuleArn` is absent".to_owned()),
        (
            with(findings(), &json!({ "configRuleArn": "arn:aws:config:us-east-1:111122223333:rule/r" })),
            "`configRuleArn` is `arn:aws:config:us-east-1:111122223333:rule/r`, expected the ARN of a rule of AWS Config"
                .to_owned(),
        ),
        (
            with(scheduled(), &json!({ "accountId": "acme" })),
            "`accountId` is `acme`, expected an account id of twelve digits".to_owned(),
        ),
        (
            with(changed(json!({ "awsAccountId": null })), &json!({ "accountId": null })),
            "`accountId` is absent".to_owned(),
        ),
        (
            with(scheduled(), &json!({ "eventLeftScope": "perhaps" })),
            "`eventLeftScope` is `perhaps`, expected `true` or `false`".to_owned(),
        ),
        (
            with(scheduled(), &json!({ "eventLeftScope": 1 })),
            "`eventLeftScope` is a number, expected `true` or `false`".to_owned(),
        ),
        (changed(json!({ "resourceType": null })), format!("`{item_path}.resourceType` is absent")),
        (changed(json!({ "resourceId": null, "configuration": null })), format!("`{item_path}.resourceId` is absent")),
        (changed(nameless), format!("`{item_path}.resourceName` is absent")),
        (change(&with(policy_item("app", "ANPAAPP"), &json!({ "ARN": null }))), format!("`{item_path}.ARN` is absent")),
        (
            changed(json!({ "configuration": "{" })),
            format!("`{item_path}.configuration` is not JSON: EOF while parsing an object at line 1 column 1"),
        ),
        (
            changed(json!({ "configuration": [] })),
            format!("`{item_path}.configuration` is an array, expected an object"),
        ),
        (
            documents(json!({ "assumeRolePolicyDocument": "%7B%22Version%22%3A%222012-10" })),
            format!(
                "`{item_path}.configuration.assumeRolePolicyDocument` could not be understood: $: the document is not \
                 JSON: EOF while parsing a string at line 1 column 19"
            ),
        ),
        (
            documents(json!({ "assumeRolePolicyDocument": 7 })),
            format!(
                "`{item_path}.configuration.assumeRolePolicyDocument` could not be understood: $: expected an object, \
                 found a number"
            ),
        ),
        (
            documents(json!({ "rolePolicyList": [{ "policyName": "p", "policyDocument": { "Statement": [
                { "Effect": "Permit", "Action": "*", "Resource": "*" },
            ] } }] })),
            format!(
                "`{item_path}.configuration.rolePolicyList[0].policyDocument` could not be understood: \
                 $.Statement[0].Effect: unknown effect `Permit`, expected `Allow` or `Deny`"
            ),
        ),
        (
            change(&with(
                policy_item("app", "ANPAAPP"),
                &json!({ "configuration": { "policyVersionList": [
                { "document": "no longer default, not read", "isDefaultVersion": false },
                { "document": "{}", "isDefaultVersion": true },
            ] } }),
            )),
            format!(
                "`{item_path}.configuration.policyVersionList[1].document` could not be understood: $: the policy has \
                 no `Statement`"
            ),
        ),
        (
            changed(json!({ "configurationItemStatus": "Odd" })),
            format!(
                "`{item_path}.configurationItemStatus` is `Odd`, expected `OK`, `ResourceDiscovered`, \
                 `ResourceNotRecorded`, `ResourceDeleted` or `ResourceDeletedNotRecorded`"
            ),
        ),
        (
            changed(json!({ "configurationItemCaptureTime": "yesterday" })),
            format!("`{item_path}.configurationItemCaptureTime` is `yesterday`, {instants}"),
        ),
        (
            changed(json!({ "configurationItemCaptureTime": "2026-01-05T10:02:33" })),
            format!("`{item_path}.configurationItemCaptureTime` is `2026-01-05T10:02:33`, {instants}"),
        ),
        (
            changed(json!({ "resourceType": "AWS::EKS::FargateProfile", "ARN": null })),
            format!("`{item_path}.ARN` is absent"),
        ),
        (
            changed(json!({ "resourceType": "AWS::EKS::Cluster", "ARN": null, "awsRegion": null })),
            format!("`{item_path}.awsRegion` is absent"),
        ),
        (
            oversized(&with(role_summary("nodes", "AROANODES"), &json!({ "configurationItemCaptureTime": null }))),
            "`invokingEvent.configurationItemSummary.configurationItemCaptureTime` is absent".to_owned(),
        ),
    ] {
        assert_eq!(trigger(&payload), format!("InvalidEvent: invalid event: {expected}"), "{payload}");
    }
}

#[test]
fn document_list_in_an_item_is_a_warning() {
    let configured =
        |item: Value, configuration: Value| change(&with(item, &json!({ "configuration": configuration })));
    let list = json!([{ "Version": "2012-10-17", "Statement": [] }]);
    let version =
        |document: &Value| json!({ "policyVersionList": [{ "document": document, "isDefaultVersion": true }] });
    let inline = |document: &Value| json!({ "rolePolicyList": [{ "policyName": "p", "policyDocument": document }] });
    let trust = |document: &Value| json!({ "assumeRolePolicyDocument": document });
    let policy = policy_item("app", "ANPAAPP");
    for (name, payload, expected, field) in [
        ("of a policy", configured(policy.clone(), version(&list)), POLICY, "policyVersionList[0].document"),
        (
            "of a policy, as text",
            configured(policy.clone(), version(&json!(list.to_string()))),
            POLICY,
            "policyVersionList[0].document",
        ),
        (
            "of a policy, percent-encoded",
            configured(policy, version(&json!("%5b%7B%7D%5d"))),
            POLICY,
            "policyVersionList[0].document",
        ),
        ("of an inline policy", configured(item(), inline(&list)), BARE_ROLE, "rolePolicyList[0].policyDocument"),
        ("of a trust policy", configured(item(), trust(&list)), BARE_ROLE, "assumeRolePolicyDocument"),
    ] {
        assert_eq!(trigger(&payload), expected, "{name}");
        let warnings = Invocation::parse(payload).unwrap().warnings;
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let path = format!("invokingEvent.configurationItem.configuration.{field}");
        assert_eq!(warnings, [format!("`{path}` is a list, expected a policy document")], "{name}");
    }
    assert!(Invocation::parse(change(&item())).unwrap().warnings.is_empty());
}

#[test]
fn result_token_is_not_printed() {
    let invocation = Invocation::parse(with(scheduled(), &json!({ "resultToken": "s3cret" }))).unwrap();
    assert_eq!(invocation.result_token.expose(), "s3cret");
    assert!(!format!("{invocation:?}").contains("s3cret"));
}

/// Account, rule, trigger, resource and role of an event on one line, `-` for what the event does not show.
fn origin(payload: &Value) -> String {
    let Origin { account_id, rule_name, trigger, resource_id, role_name } = Origin::read(payload);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let [account_id, rule_name, resource_id, role_name] = [account_id, rule_name, resource_id, role_name].map(or_dash);
    format!("{account_id} {rule_name} {trigger} {resource_id} {role_name}")
}

#[test]
fn origin_is_read_from_any_payload() {
    let nodes = "111122223333 nodes-read-only role changed AROANODES nodes";
    let all = "111122223333 nodes-read-only all roles - -";
    let of = |resource_type: &str| change(&json!({ "resourceType": resource_type, "resourceId": "x" }));
    let nested = |payload: Value| {
        let text = payload["invokingEvent"].as_str().unwrap();
        let message: Value = serde_json::from_str(text).unwrap();
        with(payload, &json!({ "invokingEvent": message }))
    };
    let bare = json!({ "resourceId": null, "resourceName": null });
    let unnamed = json!({ "resourceName": null, "configuration": null });
    let previous = json!({ "changedProperties": { "Configuration": { "previousValue": { "roleName": "nodes" } } } });
    let only_id = json!({ "resourceId": "AROANODES", "resourceType": "AWS::IAM::Role" });
    let deleted = event(&json!({ "configurationItem": only_id, "configurationItemDiff": previous }));
    for (name, payload, expected) in [
        ("a role", change(&item()), nodes),
        ("a schedule", scheduled(), all),
        ("an object as invoking event", nested(change(&item())), nodes),
        ("an oversized item", oversized(&role_summary("nodes", "AROANODES")), nodes),
        ("an item with its id in the configuration", change(&with(item(), &bare)), nodes),
        ("an item without a name: its ARN has it", change(&with(item(), &unnamed)), nodes),
        ("a deleted role: the diff has its name", deleted, nodes),
        ("a policy", change(&policy_item("app", "ANPAAPP")), "111122223333 nodes-read-only policy changed ANPAAPP -"),
        ("a cluster", of("AWS::EKS::Cluster"), "111122223333 nodes-read-only cluster changed x -"),
        ("another type", of("AWS::S3::Bucket"), "111122223333 nodes-read-only other resource changed x -"),
        ("invalid parameters", with(scheduled(), &json!({ "ruleParameters": "[" })), all),
        ("no account: the item has it", with(change(&item()), &json!({ "accountId": null })), nodes),
        ("an invalid account: the item has one", with(change(&item()), &json!({ "accountId": "prod" })), nodes),
        ("no account: the message has it", with(scheduled(), &json!({ "accountId": [] })), all),
        (
            "an account as a number",
            with(scheduled(), &json!({ "accountId": 12_345_678_901_i64 })),
            "012345678901 nodes-read-only all roles - -",
        ),
        ("no rule", with(scheduled(), &json!({ "configRuleName": null })), "111122223333 - all roles - -"),
        (
            "an invoking event that is not JSON",
            with(scheduled(), &json!({ "invokingEvent": "{" })),
            "111122223333 nodes-read-only unknown - -",
        ),
        ("an unknown message", event(&json!({ "messageType": "Odd" })), "111122223333 nodes-read-only unknown - -"),
        ("an item that is no object", change(&json!([])), "111122223333 nodes-read-only unknown - -"),
        ("an empty object", json!({}), "- - unknown - -"),
        ("null", Value::Null, "- - unknown - -"),
        ("a list", json!(["accountId"]), "- - unknown - -"),
    ] {
        assert_eq!(origin(&payload), expected, "{name}");
    }
    let long = with(scheduled(), &json!({ "configRuleName": "é".repeat(1000) }));
    assert_eq!(Origin::read(&long).rule_name, Some("é".repeat(256)));
}

#[test]
fn origin_of_a_parsed_event_has_its_trigger() {
    for (payload, expected) in [
        (change(&item()), "role changed"),
        (change(&with(item(), &json!({ "configurationItemStatus": "ResourceDeleted" }))), "resource out of scope"),
    ] {
        let origin = Origin::read(&payload).with_parsed(&Invocation::parse(payload).unwrap());
        assert_eq!((origin.trigger, origin.resource_id.as_deref()), (expected, Some("AROANODES")));
    }
}
