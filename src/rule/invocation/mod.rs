//! Reads the event that AWS Config invokes the function with.
//!
//! Knows the envelope and the four message types of the invoking event
//! (<https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html>). Anything
//! that is not understood is an error, never a guess.

pub(in crate::rule) mod configuration_item;
pub(in crate::rule) mod credentials;
pub(in crate::rule) mod error;
pub(in crate::rule) mod fields;
pub(in crate::rule) mod name_patterns;
pub(in crate::rule) mod origin;
pub(in crate::rule) mod parameters;

use aws_lambda_events::event::config::ConfigEvent;
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::rule::invocation::configuration_item::{Item, Trigger};
use crate::rule::invocation::error::InvocationError;
use crate::rule::invocation::fields::{EventError, Fields, account_id, is_empty, scalar_text};
use crate::rule::invocation::parameters::RuleParameters;
use crate::rule::ports::config::ResultToken;
use crate::rule::ports::security_hub::FindingSource;

const RULE_ARN: &str = "configRuleArn";

/// One invocation of the rule.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The account whose roles are evaluated, twelve digits.
    pub account_id: String,
    /// The event's `executionRoleArn`: a role for acting in the account.
    pub execution_role_arn: Option<String>,
    /// The token that AWS Config demands with the answers.
    pub result_token: ResultToken,
    /// The rule's parameters.
    pub parameters: RuleParameters,
    /// Why AWS Config invoked the rule.
    pub trigger: Trigger,
    /// When the evaluated state was captured. AWS Config orders the evaluations of a resource by it.
    pub ordering_timestamp: OffsetDateTime,
    /// When AWS Config sent the notification, which is after the state was captured.
    pub notified_at: OffsetDateTime,
    /// The source of the findings for Security Hub; `None` if the rule sends no findings.
    pub finding_source: Option<FindingSource>,
    /// Policy documents of the event that are lists. They are not used: IAM has the policies.
    pub warnings: Vec<EventError>,
}

impl Invocation {
    /// Reads the payload from Lambda.
    ///
    /// # Errors
    /// [`InvocationError::InvalidEvent`] for the first needed field that is absent or not understood.
    /// [`InvocationError::InvalidRuleParameters`] with all errors in the rule's parameters.
    pub fn parse(payload: Value) -> Result<Self, InvocationError> {
        let event = envelope(payload)?;
        let text = event.invoking_event.as_deref().ok_or_else(|| EventError::absent("invokingEvent"))?;
        let message = Message::parse(&Fields::from_text("invokingEvent", text)?)?;
        let result_token = ResultToken::new(event.result_token.ok_or_else(|| EventError::absent("resultToken"))?);
        let account_id = match event.account_id {
            Some(text) => account_id("accountId", &text)?,
            None => message.account_id.ok_or_else(|| EventError::absent("accountId"))?,
        };
        let rule_name = || event.config_rule_name.clone().ok_or_else(|| EventError::absent("configRuleName"));
        let mut warnings = Vec::new();
        let trigger = match message.body {
            MessageBody::AllRoles => Trigger::AllRoles { rule_name: rule_name()? },
            MessageBody::Item(item) => item.trigger(event.event_left_scope, &mut warnings)?,
        };
        let parameters = RuleParameters::parse(event.rule_parameters.as_deref())?;
        let finding_source = if parameters.security_hub_findings {
            let arn = event.config_rule_arn.as_deref().ok_or_else(|| EventError::absent(RULE_ARN))?;
            let source = FindingSource::new(&account_id, &rule_name()?, arn);
            Some(source.ok_or_else(|| EventError::unknown_value(RULE_ARN, arn, "the ARN of a rule of AWS Config"))?)
        } else {
            None
        };
        Ok(Self {
            account_id,
            execution_role_arn: event.execution_role_arn,
            result_token,
            parameters,
            trigger,
            ordering_timestamp: message.ordering_timestamp,
            notified_at: message.notified_at,
            finding_source,
            warnings,
        })
    }
}

/// The payload as `ConfigEvent` takes it: empty fields are left out, scalars and embedded objects become strings, and
/// `eventLeftScope`, which `ConfigEvent` demands, is always there.
fn envelope(payload: Value) -> Result<ConfigEvent, EventError> {
    let Value::Object(fields) = payload else { return Err(EventError::payload(&payload)) };
    let mut normal = Map::new();
    normal.insert("eventLeftScope".to_owned(), Value::Bool(false));
    for (name, value) in fields {
        if is_empty(&value) {
            continue;
        }
        let value = match name.as_str() {
            "eventLeftScope" => Value::Bool(flag(&name, &value)?),
            "invokingEvent" | "ruleParameters" if value.is_object() => Value::String(value.to_string()),
            "accountId" | "configRuleName" | "invokingEvent" | "resultToken" | "ruleParameters" => scalar_text(&value)
                .map(Value::String)
                .ok_or_else(|| EventError::wrong_type(&name, &value, "a string"))?,
            // A value of another type cannot be an ARN, and is left out.
            "executionRoleArn" | RULE_ARN if value.is_string() => value,
            // Other fields are not used.
            _ => continue,
        };
        normal.insert(name, value);
    }
    ConfigEvent::deserialize(Value::Object(normal)).map_err(|cause| EventError::shape(&cause))
}

fn flag(name: &str, value: &Value) -> Result<bool, EventError> {
    let expected = "`true` or `false`";
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        Value::String(text) => Err(EventError::unknown_value(name, text, expected)),
        other => Err(EventError::wrong_type(name, other, expected)),
    }
}

/// The invoking event.
struct Message {
    body: MessageBody,
    account_id: Option<String>,
    ordering_timestamp: OffsetDateTime,
    notified_at: OffsetDateTime,
}

/// The content of a message.
enum MessageBody {
    Item(Box<Item>),
    AllRoles,
}

impl Message {
    fn parse(message: &Fields) -> Result<Self, EventError> {
        let path = message.path_of("messageType");
        let message_type = message.required_text("messageType")?;
        let item_field = match message_type.as_str() {
            "ConfigurationItemChangeNotification" => Some("configurationItem"),
            // The item is too large for an event, so the message has only a summary.
            "OversizedConfigurationItemChangeNotification" => Some("configurationItemSummary"),
            "ScheduledNotification" | "ConfigurationSnapshotDeliveryCompleted" => None,
            other => {
                return Err(EventError::unknown_value(
                    &path,
                    other,
                    "`ConfigurationItemChangeNotification`, `OversizedConfigurationItemChangeNotification`, \
                     `ScheduledNotification` or `ConfigurationSnapshotDeliveryCompleted`",
                ));
            }
        };
        let created = message.instant("notificationCreationTime")?;
        let created_path = message.path_of("notificationCreationTime");
        let Some(item_field) = item_field else {
            let created = created.ok_or_else(|| EventError::absent(&created_path))?;
            return Ok(Self {
                body: MessageBody::AllRoles,
                account_id: message.account_id("awsAccountId")?,
                ordering_timestamp: created,
                notified_at: created,
            });
        };
        let fields = message.object(item_field)?.ok_or_else(|| EventError::absent(&message.path_of(item_field)))?;
        let item = Item::parse(&fields)?;
        let captured = item.capture_time.or(created);
        let captured = captured.ok_or_else(|| EventError::absent(&fields.path_of("configurationItemCaptureTime")))?;
        Ok(Self {
            account_id: item.account_id.clone(),
            ordering_timestamp: captured,
            notified_at: created.unwrap_or(captured),
            body: MessageBody::Item(Box::new(item)),
        })
    }
}
