//! AWS Security Hub: imports findings, and reads the active ones.
//!
//! Findings are in the AWS Security Finding Format (ASFF). One definition, [`AsffFinding`], writes and reads them: a
//! finding that was read can be imported again, archived and otherwise unchanged.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::call::Call;
use super::call_counter::CallCounter;
use super::json_api::{JsonApi, JsonRequest};
use super::pace::Pace;
use super::pages;
use crate::access::Compliance;
use crate::rule::ports::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, FindingStore, HeldFinding, NOTHING_TO_CHANGE, Page, PortError,
    RELATED_REQUIREMENT, REMEDIATION_URL, Severity,
};

const SECURITY_HUB: JsonApi = JsonApi { service_id: "SecurityHub", signing_name: "securityhub" };

/// The most findings that GetFindings puts on a page
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>).
const FINDINGS_PER_PAGE: usize = 100;

/// The field with the marker of the next page.
const NEXT_TOKEN: &str = "NextToken";

/// The fields of an import that are not compared: times, and what people may change. The rule's own severity and types are in
/// `FindingProviderFields`.
const NOT_COMPARED: [&str; 4] = ["CreatedAt", "UpdatedAt", "Severity", "Types"];

/// Attempts of GetFindings for a caller that gives up early. Security Hub allows three calls a second, and a change of many
/// roles causes one call or more from each event. An event can do without the response, so it gives up early
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>).
const EARLY_ATTEMPTS: usize = 3;

/// The prefix of the product fields that Security Hub adds itself. It accepts them from nobody else
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html>).
const RESERVED_PREFIX: &str = "aws/";

/// Security Hub of one account and region.
#[derive(Debug)]
pub struct SecurityHubService {
    sdk: SdkConfig,
    counter: CallCounter,
    pace: Pace,
}

impl SecurityHubService {
    /// Uses the credentials and the connections of `sdk`.
    pub(super) fn new(sdk: SdkConfig, counter: CallCounter) -> Self {
        let pace = Pace::new(&sdk, &counter);
        Self { sdk, counter, pace }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetFindingsResponse {
    findings: Option<Vec<Value>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportResponse {
    failed_count: Option<usize>,
    success_count: Option<usize>,
    failed_findings: Option<Vec<ImportError>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportError {
    id: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl FindingStore for SecurityHubService {
    async fn active_findings(
        &self,
        source: &FindingSource,
        ids: Option<&[String]>,
        marker: Option<&str>,
        give_up_early: bool,
    ) -> Result<Page<HeldFinding>, PortError> {
        let call = Call::new("securityhub:GetFindings", source_resource(source));
        let call = if give_up_early { call.with_attempts(EARLY_ATTEMPTS) } else { call };
        let request = || {
            let body = [("Filters", active_filters(source, ids)), ("MaxResults", json!(FINDINGS_PER_PAGE))];
            let body = body.into_iter().chain(marker.map(|token| (NEXT_TOKEN, json!(token)))).collect();
            let request = JsonRequest { operation: "GetFindings", path: "/findings", body };
            SECURITY_HUB.call(&self.sdk, &self.counter, &self.pace, &source.partition, request)
        };
        let response = call.send(&self.pace, request).await;
        let page: GetFindingsResponse = read(&call, response.map_err(|error| call.failed(&error))?)?;
        let findings = page.findings.ok_or_else(|| call.missing_field("Findings"))?;
        let findings = findings.into_iter().map(|held| {
            let finding = from_asff(&call, held.clone())?;
            let is_as_sent = is_as_sent(&held, &finding, source);
            Ok(HeldFinding { finding, is_as_sent })
        });
        let next = pages::next(&call, NEXT_TOKEN, marker, page.next_token)?;
        Ok(Page { items: findings.collect::<Result<_, _>>()?, next })
    }

    async fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> Result<Vec<FailedFinding>, PortError> {
        let resource = format!("{} findings of {}", findings.len(), source_resource(source));
        let call = Call::new("securityhub:BatchImportFindings", resource);
        let asff: Vec<AsffFinding> = findings.iter().map(|finding| to_asff(finding, source)).collect();
        let body = json!({ "Findings": asff });
        let request = || {
            let body = body.clone();
            let request = JsonRequest { operation: "BatchImportFindings", path: "/findings/import", body };
            SECURITY_HUB.call(&self.sdk, &self.counter, &self.pace, &source.partition, request)
        };
        let response = call.send(&self.pace, request).await;
        let response: ImportResponse = read(&call, response.map_err(|error| call.failed(&error))?)?;
        let failed = response.failed_findings.unwrap_or_default();
        if response.failed_count != Some(failed.len())
            || response.success_count != findings.len().checked_sub(failed.len())
        {
            return Err(call.error("the response's counts differ from the number of findings sent"));
        }
        let failed_finding = |error: ImportError| {
            let id = call.required("Id", error.id.as_deref())?;
            if !findings.iter().any(|finding| finding.id == id) {
                return Err(call.error(format!("the response names the finding `{id}`, which was not sent")));
            }
            Ok(FailedFinding {
                id,
                code: call.required("ErrorCode", error.error_code.as_deref())?,
                message: call.required("ErrorMessage", error.error_message.as_deref())?,
            })
        };
        failed.into_iter().map(failed_finding).collect()
    }
}

fn source_resource(source: &FindingSource) -> String {
    format!("rule `{}` in account `{}`", source.rule_name, source.account_id)
}

/// Filters for the active findings of this source. Security Hub may also hold findings of other regions and accounts,
/// which it collects in one place.
fn active_filters(source: &FindingSource, ids: Option<&[String]>) -> Value {
    let equals = |value: &str| json!({ "Value": value, "Comparison": "EQUALS" });
    let filters = [
        ("ProductArn", json!([equals(&source.product_arn())])),
        ("GeneratorId", json!([equals(&source.generator_id())])),
        ("AwsAccountId", json!([equals(&source.account_id)])),
        ("RecordState", json!([equals("ACTIVE")])),
    ];
    let ids = ids.map(|ids| ("Id", ids.iter().map(|id| equals(id)).collect()));
    filters.into_iter().chain(ids).collect()
}

/// A response with the members that are needed.
fn read<T: DeserializeOwned>(call: &Call, response: Value) -> Result<T, PortError> {
    serde_json::from_value(response).map_err(|error| call.error(format!("malformed response: {error}")))
}

/// A finding in the AWS Security Finding Format
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>).
///
/// Members with `skip_deserializing` follow from the rule and the role, so they are not read. Members with `if_valid`
/// are optional in the format: somebody else may import a finding under the rule's names without them, and that must not
/// stop the rule from sending its own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AsffFinding {
    #[serde(skip_deserializing)]
    schema_version: &'static str,
    id: String,
    #[serde(skip_deserializing)]
    product_arn: String,
    #[serde(skip_deserializing)]
    generator_id: String,
    #[serde(skip_deserializing)]
    aws_account_id: String,
    #[serde(skip_deserializing)]
    types: [&'static str; 1],
    #[serde(with = "timestamp")]
    created_at: OffsetDateTime,
    #[serde(with = "timestamp")]
    updated_at: OffsetDateTime,
    #[serde(default, deserialize_with = "if_valid")]
    severity: Option<AsffSeverity>,
    #[serde(default, deserialize_with = "if_valid")]
    finding_provider_fields: Option<ProviderFields>,
    title: String,
    description: String,
    #[serde(default, deserialize_with = "if_valid")]
    remediation: Option<Remediation>,
    #[serde(default, deserialize_with = "texts")]
    product_fields: BTreeMap<String, String>,
    resources: Vec<Resource>,
    #[serde(default, deserialize_with = "if_valid")]
    compliance: Option<AsffCompliance>,
    record_state: RecordState,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AsffSeverity {
    #[serde(with = "SeverityLabel")]
    label: Severity,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Severity", rename_all = "UPPERCASE")]
enum SeverityLabel {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// Severity and types as the rule set them. An update takes them from here alone
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderFields {
    severity: AsffSeverity,
    #[serde(skip_deserializing)]
    types: [&'static str; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Remediation {
    recommendation: Recommendation,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Recommendation {
    text: String,
    #[serde(skip_deserializing)]
    url: &'static str,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(skip_deserializing)]
    r#type: &'static str,
    #[serde(default)]
    id: String,
    #[serde(skip_deserializing)]
    partition: String,
    #[serde(skip_deserializing)]
    region: String,
    #[serde(skip_deserializing)]
    details: ResourceDetails,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceDetails {
    aws_iam_role: AwsIamRole,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AwsIamRole {
    role_id: String,
    role_name: String,
    path: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AsffCompliance {
    #[serde(with = "ComplianceStatus")]
    status: Compliance,
    #[serde(skip_deserializing)]
    related_requirements: [&'static str; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Compliance")]
enum ComplianceStatus {
    #[serde(rename = "PASSED")]
    Compliant,
    #[serde(rename = "FAILED")]
    NonCompliant,
    #[serde(rename = "NOT_AVAILABLE")]
    NotApplicable,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RecordState {
    Active,
    Archived,
}

/// A value, or the default where it is missing or malformed.
fn if_valid<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// The members of an object that are texts.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let members: BTreeMap<String, Value> = if_valid(deserializer)?;
    let text = |(name, value): (String, Value)| value.as_str().map(|text| (name, text.to_owned()));
    Ok(members.into_iter().filter_map(text).collect())
}

/// A time in UTC with milliseconds, as Security Hub writes it.
mod timestamp {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use time::format_description::well_known::Rfc3339;
    use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

    pub(super) fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        let at = at.to_offset(UtcOffset::UTC);
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second, milliseconds) = (at.hour(), at.minute(), at.second(), at.millisecond());
        serializer.collect_str(&format_args!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"
        ))
    }

    /// The last hours of the year 9999 have no UTC time in an offset behind UTC: they become the last moment.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339);
        let at = at.map_err(|error| Error::custom(format!("time `{text}`: {error}")))?;
        Ok(at.checked_to_offset(UtcOffset::UTC).unwrap_or(PrimitiveDateTime::MAX.assume_utc()))
    }
}

fn to_asff(finding: &Finding, source: &FindingSource) -> AsffFinding {
    let severity = AsffSeverity { label: finding.severity };
    AsffFinding {
        schema_version: "2018-10-08",
        id: finding.id.clone(),
        product_arn: source.product_arn(),
        generator_id: source.generator_id(),
        aws_account_id: source.account_id.clone(),
        types: [FINDING_TYPE],
        created_at: finding.created_at,
        updated_at: finding.updated_at,
        severity: Some(severity),
        finding_provider_fields: Some(ProviderFields { severity, types: [FINDING_TYPE] }),
        title: finding.title.clone(),
        description: finding.description.clone(),
        remediation: Some(Remediation {
            recommendation: Recommendation { text: finding.remediation.clone(), url: REMEDIATION_URL },
        }),
        product_fields: finding.product_fields.clone(),
        resources: vec![Resource {
            r#type: "AwsIamRole",
            id: finding.role_arn.clone(),
            partition: finding.partition().to_owned(),
            region: source.region.clone(),
            details: ResourceDetails {
                aws_iam_role: AwsIamRole {
                    role_id: finding.role_id().to_owned(),
                    role_name: finding.role_name().to_owned(),
                    path: finding.role_path().to_owned(),
                },
            },
        }],
        compliance: Some(AsffCompliance { status: finding.compliance, related_requirements: [RELATED_REQUIREMENT] }),
        record_state: if finding.archived { RecordState::Archived } else { RecordState::Active },
    }
}

/// Whether Security Hub holds everything that an import of the finding would send. It adds fields itself.
fn is_as_sent(held: &Value, finding: &Finding, source: &FindingSource) -> bool {
    let Ok(Value::Object(mut sent)) = serde_json::to_value(to_asff(finding, source)) else { return false };
    sent.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
    holds(held, &Value::Object(sent))
}

/// Whether `held` has all members of `sent`, with the same values.
fn holds(held: &Value, sent: &Value) -> bool {
    match (held, sent) {
        (Value::Object(held), Value::Object(sent)) => {
            sent.iter().all(|(name, sent)| held.get(name).is_some_and(|held| holds(held, sent)))
        }
        (Value::Array(held), Value::Array(sent)) => {
            held.len() == sent.len() && held.iter().zip(sent).all(|(held, sent)| holds(held, sent))
        }
        _ => held == sent,
    }
}

fn from_asff(call: &Call, finding: Value) -> Result<Finding, PortError> {
    let id = finding.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let finding: AsffFinding = serde_json::from_value(finding)
        .map_err(|error| call.error(format!("malformed finding `{id}` in the response: {error}")))?;
    // The rule's own severity first: a person may have changed the other one.
    let severity = finding.finding_provider_fields.map(|fields| fields.severity).or(finding.severity);
    let mut product_fields = finding.product_fields;
    product_fields.retain(|name, _| !name.starts_with(RESERVED_PREFIX));
    Ok(Finding {
        id: call.required("Id", Some(&finding.id))?,
        title: call.required("Title", Some(&finding.title))?,
        description: call.required("Description", Some(&finding.description))?,
        severity: severity.map_or(Severity::Informational, |severity| severity.label),
        compliance: finding.compliance.map_or(Compliance::NotApplicable, |compliance| compliance.status),
        remediation: finding.remediation.map_or(NOTHING_TO_CHANGE.to_owned(), |it| it.recommendation.text),
        role_arn: call.required("Resources[0].Id", finding.resources.first().map(|resource| resource.id.as_str()))?,
        product_fields,
        created_at: finding.created_at,
        updated_at: finding.updated_at,
        archived: finding.record_state == RecordState::Archived,
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::replay::{Replay, response};
    use super::*;
    use crate::rule::ports::PortErrorKind;

    fn source() -> FindingSource {
        let rule = "arn:aws-us-gov:config:us-gov-east-1:111122223333:config-rule/config-rule-abcdef";
        FindingSource::new("111122223333", "rule", rule).unwrap()
    }

    fn finding() -> Finding {
        Finding {
            id: source().finding_id("AROAR"),
            title: "a title".to_owned(),
            description: "a description".to_owned(),
            severity: Severity::High,
            compliance: Compliance::NonCompliant,
            remediation: "a remediation".to_owned(),
            role_arn: "arn:aws-us-gov:iam::111122223333:role/a/b/nodes".to_owned(),
            product_fields: BTreeMap::from([("Action".to_owned(), "ecr:PutImage".to_owned())]),
            created_at: datetime!(2026-01-05 10:02:33.1239 +1),
            updated_at: datetime!(2026-01-05 10:03 UTC),
            archived: false,
        }
    }

    /// The same finding in ASFF, as BatchImportFindings takes it.
    fn asff() -> Value {
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": "eks-node-role-ecr-read-only/111122223333/rule/AROAR",
            "ProductArn": "arn:aws-us-gov:securityhub:us-gov-east-1:111122223333:product/111122223333/default",
            "GeneratorId": "eks-node-role-ecr-read-only/rule",
            "AwsAccountId": "111122223333",
            "Types": [FINDING_TYPE],
            "CreatedAt": "2026-01-05T09:02:33.123Z",
            "UpdatedAt": "2026-01-05T10:03:00.000Z",
            "Severity": { "Label": "HIGH" },
            "Title": "a title",
            "Description": "a description",
            "Remediation": { "Recommendation": { "Text": "a remediation", "Url": REMEDIATION_URL } },
            "ProductFields": { "Action": "ecr:PutImage" },
            "Resources": [{
                "Type": "AwsIamRole",
                "Id": "arn:aws-us-gov:iam::111122223333:role/a/b/nodes",
                "Partition": "aws-us-gov",
                "Region": "us-gov-east-1",
                "Details": { "AwsIamRole": { "RoleId": "AROAR", "RoleName": "nodes", "Path": "/a/b/" } },
            }],
            "Compliance": { "Status": "FAILED", "RelatedRequirements": [RELATED_REQUIREMENT] },
            "RecordState": "ACTIVE",
            "FindingProviderFields": { "Severity": { "Label": "HIGH" }, "Types": [FINDING_TYPE] },
        })
    }

    /// Calls a Security Hub that gives this response. Returns the body of the request too.
    async fn call<T>(response_body: &Value, call: impl AsyncFnOnce(&SecurityHubService) -> T) -> (T, Value) {
        let replay = Replay::new([response(200, &response_body.to_string())]);
        let result = call(&SecurityHubService::new(replay.sdk_config().await, CallCounter::default())).await;
        let requests = replay.requests();
        assert_eq!(requests.len(), 1);
        (result, serde_json::from_slice(requests[0].body().bytes().unwrap()).unwrap())
    }

    async fn get_findings(response: &Value) -> Result<Vec<Finding>, PortError> {
        Ok(get_held(response).await?.into_iter().map(|held| held.finding).collect())
    }

    async fn get_held(response: &Value) -> Result<Vec<HeldFinding>, PortError> {
        let source = source();
        let get = async |hub: &SecurityHubService| hub.active_findings(&source, None, None, false).await;
        call(response, get).await.0.map(|page| page.items)
    }

    #[tokio::test]
    async fn finding_is_sent_in_asff_and_read_back_unchanged() {
        let (source, finding) = (source(), finding());
        let taken = json!({ "FailedCount": 0, "SuccessCount": 1, "FailedFindings": [] });
        let import =
            async |hub: &SecurityHubService| hub.import_findings(&source, std::slice::from_ref(&finding)).await;
        let (failed, request) = call(&taken, import).await;
        assert_eq!((failed, request), (Ok(Vec::new()), json!({ "Findings": [asff()] })));

        let mut held = asff();
        held["ProductFields"]["aws/securityhub/FindingId"] = json!("arn");
        held["Severity"]["Label"] = json!("LOW");
        let read = get_findings(&json!({ "Findings": [held] })).await.unwrap();
        let written = Finding { created_at: datetime!(2026-01-05 9:02:33.123 UTC), ..finding };
        assert_eq!(read, [written], "the rule's severity counts");
    }

    #[tokio::test]
    async fn time_after_the_year_9999_is_read_as_the_last_moment() {
        let mut held = asff();
        held["UpdatedAt"] = json!("9999-12-31T23:59:59.999-01:00");
        let read = get_findings(&json!({ "Findings": [held] })).await.unwrap();
        let written = serde_json::to_value(to_asff(&read[0], &source())).unwrap();
        assert_eq!(written["UpdatedAt"], "9999-12-31T23:59:59.999Z");
    }

    #[tokio::test]
    async fn every_severity_and_status_is_sent_and_read_back() {
        for (severity, label) in [
            (Severity::Informational, "INFORMATIONAL"),
            (Severity::Low, "LOW"),
            (Severity::Medium, "MEDIUM"),
            (Severity::High, "HIGH"),
            (Severity::Critical, "CRITICAL"),
        ] {
            for (compliance, status) in [
                (Compliance::Compliant, "PASSED"),
                (Compliance::NonCompliant, "FAILED"),
                (Compliance::NotApplicable, "NOT_AVAILABLE"),
            ] {
                let (source, written) = (source(), Finding { severity, compliance, archived: true, ..finding() });
                let taken = json!({ "FailedCount": 0, "SuccessCount": 1 });
                let import =
                    async |hub: &SecurityHubService| hub.import_findings(&source, std::slice::from_ref(&written)).await;
                let (_, request) = call(&taken, import).await;
                let sent = &request["Findings"][0];
                assert_eq!(sent["FindingProviderFields"]["Severity"]["Label"], label);
                assert_eq!((&sent["Severity"]["Label"], &sent["RecordState"]), (&json!(label), &json!("ARCHIVED")));
                assert_eq!(sent["Compliance"]["Status"], status);
                let read = get_findings(&json!({ "Findings": [sent] })).await.unwrap();
                assert_eq!((read[0].severity, read[0].compliance, read[0].archived), (severity, compliance, true));
            }
        }
    }

    #[tokio::test]
    async fn active_findings_are_filtered_by_rule_account_and_region() {
        let source = source();
        let equals = |value: &str| json!([{ "Value": value, "Comparison": "EQUALS" }]);
        let mut filters = json!({
            "ProductArn": equals("arn:aws-us-gov:securityhub:us-gov-east-1:111122223333:product/111122223333/default"),
            "GeneratorId": equals("eks-node-role-ecr-read-only/rule"),
            "AwsAccountId": equals("111122223333"),
            "RecordState": equals("ACTIVE"),
        });
        let none = json!({ "Findings": [] });
        let empty = || Ok(Page { items: Vec::new(), next: None });
        let all = async |hub: &SecurityHubService| hub.active_findings(&source, None, None, false).await;
        assert_eq!(call(&none, all).await, (empty(), json!({ "Filters": filters, "MaxResults": 100 })));
        filters["Id"] = json!([
            { "Value": "a", "Comparison": "EQUALS" },
            { "Value": "b", "Comparison": "EQUALS" },
        ]);
        let ids = ["a".to_owned(), "b".to_owned()];
        let two = async |hub: &SecurityHubService| hub.active_findings(&source, Some(&ids), Some("t"), true).await;
        let second = json!({ "Filters": filters, "MaxResults": 100, "NextToken": "t" });
        assert_eq!(call(&none, two).await, (empty(), second));
    }

    #[tokio::test]
    async fn throttled_caller_that_gives_up_early_makes_three_attempts() {
        let (source, ids) = (source(), ["a".to_owned()]);
        for ids in [None, Some(&ids[..])] {
            let replay = Replay::new((0..4).map(|_| response(429, "{}")));
            let hub = SecurityHubService::new(replay.sdk_config().await, CallCounter::default());
            let error = hub.active_findings(&source, ids, None, true).await.unwrap_err();
            assert_eq!((error.kind(), replay.requests().len()), (PortErrorKind::Throttled, 3), "{ids:?}");
        }
    }

    /// Each change of what Security Hub holds, and whether the rest is still what an import sends.
    #[tokio::test]
    async fn held_finding_is_compared_in_every_field() {
        let changed = |pointer: &str, value: Value| {
            let mut held = asff();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            held.pointer_mut(parent).unwrap()[name] = value;
            held
        };
        for (held, expected) in [
            (asff(), true),
            // Security Hub and people add and change these.
            (changed("/Workflow", json!({ "Status": "SUPPRESSED" })), true),
            (changed("/ProductFields/aws~1securityhub~1FindingId", json!("arn")), true),
            (changed("/Severity/Label", json!("LOW")), true),
            (changed("/Severity/Normalized", json!(1)), true),
            (changed("/Types", json!(["Other"])), true),
            (changed("/CreatedAt", json!("2026-01-01T00:00:00Z")), true),
            (changed("/UpdatedAt", json!("2026-01-01T00:00:00Z")), true),
            (changed("/FirstObservedAt", json!("2026-01-01T00:00:00Z")), true),
            (changed("/Confidence", json!(7)), true),
            // Only an import writes these.
            (changed("/SchemaVersion", json!("2018-10-07")), false),
            (changed("/FindingProviderFields/Types", json!(["Other"])), false),
            (changed("/Remediation/Recommendation/Url", json!("https://example.com")), false),
            (changed("/Compliance/RelatedRequirements", json!(["CIS 1"])), false),
            (changed("/Resources/0/Type", json!("Other")), false),
            (changed("/Resources/0/Region", json!("us-east-1")), false),
            (changed("/Resources/0/Details/AwsIamRole/Path", json!("/")), false),
            (changed("/Resources", json!([asff()["Resources"][0], { "Type": "Other" }])), false),
            (changed("/FindingProviderFields", Value::Null), false),
        ] {
            let is_as_sent = get_held(&json!({ "Findings": [held] })).await.unwrap()[0].is_as_sent;
            assert_eq!(is_as_sent, expected, "{held}");
        }
    }

    #[tokio::test]
    async fn finding_with_a_missing_or_malformed_field_is_an_error() {
        let error = "securityhub:GetFindings of rule `rule` in account `111122223333` failed: ";
        for pointer in ["/Id", "/Title", "/Description", "/CreatedAt", "/UpdatedAt", "/RecordState", "/Resources/0/Id"]
        {
            for value in [Value::Null, json!(""), json!(7)] {
                let mut finding = asff();
                *finding.pointer_mut(pointer).unwrap() = value.clone();
                let result = get_findings(&json!({ "Findings": [asff(), finding] })).await;
                assert!(result.unwrap_err().to_string().starts_with(error), "{pointer} {value}");
            }
        }
        let malformed = |field: &str, value: Value| {
            let mut finding = asff();
            finding[field] = value;
            json!({ "Findings": [finding] })
        };
        let id = "eks-node-role-ecr-read-only/111122223333/rule/AROAR";
        for (response, expected) in [
            (malformed("Title", json!("")), "the response lacks `Title`".to_owned()),
            (malformed("Resources", json!([])), "the response lacks `Resources[0].Id`".to_owned()),
            (json!({}), "the response lacks `Findings`".to_owned()),
            (
                malformed("CreatedAt", json!("odd")),
                format!(
                    "malformed finding `{id}` in the response: time `odd`: the 'year' component could not be parsed"
                ),
            ),
            (
                malformed("RecordState", json!("odd")),
                format!(
                    "malformed finding `{id}` in the response: unknown variant `odd`, expected `ACTIVE` or `ARCHIVED`"
                ),
            ),
        ] {
            let result = get_findings(&response).await;
            assert_eq!(result.unwrap_err().to_string(), format!("{error}{expected}"));
        }
        let mut finding = asff();
        finding.as_object_mut().unwrap().remove("Title");
        let result = get_findings(&json!({ "Findings": [finding] })).await.unwrap_err().to_string();
        assert_eq!(result, format!("{error}malformed finding `{id}` in the response: missing field `Title`"));
    }

    #[tokio::test]
    async fn finding_without_optional_fields_gets_defaults() {
        let mut bare = asff();
        for field in ["Severity", "FindingProviderFields", "Compliance", "Remediation", "ProductFields"] {
            bare.as_object_mut().unwrap().remove(field);
        }
        let findings = get_findings(&json!({ "Findings": [bare, asff()] })).await.unwrap();
        let expected = Finding {
            severity: Severity::Informational,
            compliance: Compliance::NotApplicable,
            remediation: NOTHING_TO_CHANGE.to_owned(),
            product_fields: BTreeMap::new(),
            ..findings[1].clone()
        };
        assert_eq!(findings[0], expected);
        let mut odd = asff();
        odd["Compliance"]["Status"] = json!("WARNING");
        odd.as_object_mut().unwrap().remove("FindingProviderFields");
        odd["ProductFields"]["Odd"] = json!(7);
        odd["Resources"].as_array_mut().unwrap().push(json!({ "Type": "Other" }));
        let findings = get_findings(&json!({ "Findings": [odd] })).await.unwrap();
        assert_eq!((findings[0].compliance, findings[0].severity), (Compliance::NotApplicable, Severity::High));
        assert_eq!(findings[0].product_fields, finding().product_fields);
    }

    #[tokio::test]
    async fn failed_imports_are_returned_and_bad_responses_are_errors() {
        let (source, finding) = (source(), finding());
        let failed = |id: &str, message: Option<&str>| {
            let failed = json!({ "Id": id, "ErrorCode": "InvalidAccess", "ErrorMessage": message });
            json!({ "FailedCount": 1, "SuccessCount": 0, "FailedFindings": [failed] })
        };
        let error = "securityhub:BatchImportFindings of 1 findings of rule `rule` in account `111122223333` failed: \
                     the response";
        let counts = Err(format!("{error}'s counts differ from the number of findings sent"));
        let (no, id) = ("no".to_owned(), finding.id.clone());
        let refused = FailedFinding { id: id.clone(), code: "InvalidAccess".to_owned(), message: no };
        for (response, expected) in [
            (failed(&id, Some("no")), Ok(vec![refused])),
            (failed(&id, None), Err(format!("{error} lacks `ErrorMessage`"))),
            (failed("", Some("no")), Err(format!("{error} lacks `Id`"))),
            (failed("x", Some("no")), Err(format!("{error} names the finding `x`, which was not sent"))),
            (json!({ "FailedCount": 0, "SuccessCount": 1, "FailedFindings": null }), Ok(Vec::new())),
            (json!({}), counts.clone()),
            (json!({ "FailedCount": 1, "SuccessCount": 0 }), counts.clone()),
            (json!({ "FailedCount": 0, "SuccessCount": 2 }), counts),
        ] {
            let import =
                async |hub: &SecurityHubService| hub.import_findings(&source, std::slice::from_ref(&finding)).await;
            let (result, _) = call(&response, import).await;
            assert_eq!(result.map_err(|error| error.to_string()), expected);
        }
    }
}
