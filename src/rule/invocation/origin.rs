//! Reads the fields that locate an event: account, rule, trigger, resource. They stand in every line of the log.
//!
//! Reads before the event is parsed, and never fails: a line about an event that is not understood has them too. A field
//! that is missing or malformed is unknown. No decision uses these values.

use std::borrow::Cow;

use serde_json::Value;

use crate::policy::arn::Arn;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::{CLUSTER, FARGATE_PROFILE, INSTANCE_PROFILE, POLICY, ROLE, label};
use crate::rule::invocation::fields::{account_id, is_empty, scalar_text};

/// The most characters of a field. AWS Config's rule names have at most 128.
const CHARACTERS: usize = 256;

/// Where an event comes from, as far as its fields show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The account, twelve digits.
    pub account_id: Option<String>,
    /// The rule's name.
    pub rule_name: Option<String>,
    /// The trigger in a few words, see [`Trigger::label`](crate::rule::Trigger::label); `unknown` if the event does not
    /// show it.
    pub trigger: &'static str,
    /// The id of the changed resource, as AWS Config knows it.
    pub resource_id: Option<String>,
    /// The name of the changed role.
    pub role_name: Option<String>,
}

impl Origin {
    /// Reads the payload from Lambda.
    pub fn read(payload: &Value) -> Self {
        let message = object(payload, "invokingEvent").unwrap_or_default();
        let item = ["configurationItem", "configurationItemSummary"].iter().find_map(|name| object(&message, name));
        let item = item.unwrap_or_default();
        let configuration = object(&item, "configuration").unwrap_or_default();
        let resource_type = text(&item, "resourceType").unwrap_or_default();
        let (id_field, name_field) = match resource_type.as_str() {
            ROLE => ("roleId", Some("roleName")),
            POLICY => ("policyId", None),
            _ => ("", None),
        };
        let accounts =
            [(payload, "accountId"), (&item, "awsAccountId"), (&item, "accountId"), (&message, "awsAccountId")];
        let arn = text(&item, "ARN").or_else(|| text(&item, "arn"));
        // The item of a deleted role may have only its id. The diff shows what was deleted
        // (<https://repost.aws/knowledge-center/config-configurationitemdiff>).
        let previous = message.pointer("/configurationItemDiff/changedProperties/Configuration/previousValue");
        let named = || arn.as_deref().and_then(|arn| Arn::parse(arn)?.name()).map(str::to_owned);
        Self {
            account_id: accounts.iter().find_map(|(of, name)| account_id(name, &text(of, name)?).ok()),
            rule_name: text(payload, "configRuleName"),
            trigger: match text(&message, "messageType").as_deref() {
                Some("ScheduledNotification" | "ConfigurationSnapshotDeliveryCompleted") => label::ALL_ROLES,
                _ => match resource_type.as_str() {
                    ROLE => label::ROLE_CHANGED,
                    POLICY => label::POLICY_CHANGED,
                    CLUSTER | FARGATE_PROFILE => label::CLUSTER_CHANGED,
                    INSTANCE_PROFILE => label::INSTANCE_PROFILE_CHANGED,
                    "" => "unknown",
                    _ => label::OTHER_CHANGED,
                },
            },
            resource_id: text(&item, "resourceId").or_else(|| text(&configuration, id_field)),
            role_name: name_field.and_then(|name| {
                let current = text(&item, "resourceName").or_else(|| text(&configuration, name)).or_else(named);
                current.or_else(|| text(previous?, name))
            }),
        }
    }

    /// The origin with the values that parsing decided.
    #[must_use]
    pub fn with_parsed(self, invocation: &Invocation) -> Self {
        let (account_id, trigger) = (Some(invocation.account_id.clone()), invocation.trigger.label());
        Self { account_id, trigger, ..self }
    }
}

/// A member that is an object, or a text that holds one.
fn object<'a>(of: &'a Value, name: &str) -> Option<Cow<'a, Value>> {
    match of.get(name)? {
        value @ Value::Object(_) => Some(Cow::Borrowed(value)),
        Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object).map(Cow::Owned),
        _ => None,
    }
}

/// A member that is a text, a number or a boolean, in at most [`CHARACTERS`].
fn text(of: &Value, name: &str) -> Option<String> {
    let value = of.get(name).filter(|value| !is_empty(value))?;
    scalar_text(value).map(|text| text.chars().take(CHARACTERS).collect())
}
