//! AWS Security Hub: takes findings, and tells those that are active.
//!
//! Knows the operations, and findings in the AWS Security Finding Format, both ways: an archived finding is imported again
//! as it was.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::call_counter::Calls;
use super::error::{failed, told, untold};
use super::json_api::{Service, call};
use super::pages::leads_on;
use crate::access::Compliance;
use crate::rule::ports::{FindingStore, PortError};
use crate::rule::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, NOTHING_TO_CHANGE, RELATED_REQUIREMENT, REMEDIATION_URL,
    Severity,
};

const SERVICE: Service = Service { name: "SecurityHub", signing_name: "securityhub" };

/// The most that GetFindings puts on a page.
const PAGE: usize = 100;

/// How often GetFindings is tried where the answer can do without: it is called three times a second at most, and after a
/// change of many roles every event asks
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>).
const ATTEMPTS_FOR_SOME: u32 = 3;

const SCHEMA_VERSION: &str = "2018-10-08";

/// What names of product fields begin with that Security Hub adds itself and takes of nobody else
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html>).
const RESERVED: &str = "aws/";

const GET: &str = "securityhub:GetFindings";
const IMPORT: &str = "securityhub:BatchImportFindings";

/// All severities, for reading them.
const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// All verdicts, for reading them.
const VERDICTS: [Compliance; 3] = [Compliance::Compliant, Compliance::NonCompliant, Compliance::NotApplicable];

/// Security Hub of one account and region.
#[derive(Debug)]
pub struct SecurityHubService {
    sdk: SdkConfig,
    calls: Calls,
}

impl SecurityHubService {
    /// Asks as `sdk` says. Nothing is made before the first question: most functions never ask.
    pub fn new(sdk: SdkConfig, calls: Calls) -> Self {
        Self { sdk, calls }
    }
}

impl FindingStore for SecurityHubService {
    async fn active_findings(&self, source: &FindingSource, ids: Option<&[String]>) -> Result<Vec<Finding>, PortError> {
        let of = of_rule(source);
        let sdk = match ids {
            None => self.sdk.clone(),
            Some(_) => {
                let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS_FOR_SOME);
                self.sdk.to_builder().retry_config(retries).build()
            }
        };
        let (mut findings, mut token) = (Vec::new(), None);
        loop {
            let question = [("Filters", active_of(source, ids)), ("MaxResults", json!(PAGE))];
            let question =
                question.into_iter().chain(token.as_ref().map(|token| ("NextToken", json!(token)))).collect();
            let partition = &source.partition;
            let page = call(&sdk, &self.calls, SERVICE, "GetFindings", partition, "/findings", question).await;
            let page = page.map_err(|error| failed(GET, &of, &error))?;
            let told = page.get("Findings").and_then(Value::as_array).ok_or_else(|| untold(GET, &of, "Findings"))?;
            for finding in told {
                findings.push(from_asff(finding, &of)?);
            }
            leads_on(GET, &of, "NextToken", page.get("NextToken").and_then(Value::as_str), &mut token)?;
            if token.is_none() {
                return Ok(findings);
            }
        }
    }

    async fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> Result<Vec<FailedFinding>, PortError> {
        let of = format!("{} findings of {}", findings.len(), of_rule(source));
        let told_as: Vec<Value> = findings.iter().map(|finding| to_asff(finding, source)).collect();
        let (sdk, partition, body) = (&self.sdk, &source.partition, json!({ "Findings": told_as }));
        let answer = call(sdk, &self.calls, SERVICE, "BatchImportFindings", partition, "/findings/import", body).await;
        let answer = answer.map_err(|error| failed(IMPORT, &of, &error))?;
        let refused = answer.get("FailedFindings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let counted = |field| answer.get(field).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        if counted("FailedCount") != Some(refused.len())
            || counted("SuccessCount") != findings.len().checked_sub(refused.len())
        {
            return Err(PortError::new(IMPORT, &of, "the answer's counts are not those of the findings sent"));
        }
        let failed_finding = |refused: &Value| {
            let text = |field| told(IMPORT, &of, field, refused.get(field).and_then(Value::as_str)).map(str::to_owned);
            let id = text("Id")?;
            if !findings.iter().any(|finding| finding.id == id) {
                let cause = format!("the answer names the finding `{id}`, which was not sent");
                return Err(PortError::new(IMPORT, &of, cause));
            }
            Ok(FailedFinding { id, code: text("ErrorCode")?, message: text("ErrorMessage")? })
        };
        refused.iter().map(failed_finding).collect()
    }
}

fn of_rule(source: &FindingSource) -> String {
    format!("rule `{}` in account `{}`", source.rule_name, source.account_id)
}

/// Another region's and another account's findings can be there too: Security Hub gathers them in one place.
fn active_of(source: &FindingSource, ids: Option<&[String]>) -> Value {
    let equals = |value: &str| json!({ "Value": value, "Comparison": "EQUALS" });
    let filters = [
        ("ProductArn", json!([equals(&source.product_arn())])),
        ("GeneratorId", json!([equals(&source.generator_id())])),
        ("AwsAccountId", json!([equals(&source.account_id)])),
        ("RecordState", json!([equals(record_state(false))])),
    ];
    let ids = ids.map(|ids| ("Id", ids.iter().map(|id| equals(id)).collect()));
    filters.into_iter().chain(ids).collect()
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

fn status(compliance: Compliance) -> &'static str {
    match compliance {
        Compliance::Compliant => "PASSED",
        Compliance::NonCompliant => "FAILED",
        Compliance::NotApplicable => "NOT_AVAILABLE",
    }
}

fn record_state(archived: bool) -> &'static str {
    if archived { "ARCHIVED" } else { "ACTIVE" }
}

fn to_asff(finding: &Finding, source: &FindingSource) -> Value {
    let severity = json!({ "Label": label(finding.severity) });
    json!({
        "SchemaVersion": SCHEMA_VERSION,
        "Id": finding.id,
        "ProductArn": source.product_arn(),
        "GeneratorId": source.generator_id(),
        "AwsAccountId": source.account_id,
        "Types": [FINDING_TYPE],
        "CreatedAt": rfc3339(finding.created_at),
        "UpdatedAt": rfc3339(finding.updated_at),
        "Severity": severity,
        // An update takes severity and types from here alone
        // (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
        "FindingProviderFields": { "Severity": severity, "Types": [FINDING_TYPE] },
        "Title": finding.title,
        "Description": finding.description,
        "Remediation": { "Recommendation": { "Text": finding.remediation, "Url": REMEDIATION_URL } },
        "ProductFields": finding.product_fields,
        "Resources": [{
            "Type": "AwsIamRole",
            "Id": finding.role_arn,
            "Partition": finding.partition(),
            "Region": source.region,
            "Details": {
                "AwsIamRole": {
                    "RoleId": finding.role_id(),
                    "RoleName": finding.role_name(),
                    "Path": finding.role_path(),
                },
            },
        }],
        "Compliance": {
            "Status": status(finding.compliance),
            "RelatedRequirements": [RELATED_REQUIREMENT],
        },
        "RecordState": record_state(finding.archived),
    })
}

fn from_asff(finding: &Value, of: &str) -> Result<Finding, PortError> {
    // Fields are named by their JSON pointers, in errors too.
    let text = |pointer: &'static str| told(GET, of, pointer, finding.pointer(pointer).and_then(Value::as_str));
    let odd = |pointer, text: &str| {
        PortError::new(GET, of, format!("the answer's `{pointer}` is `{text}`, which is not understood"))
    };
    let instant = |pointer| {
        let text = text(pointer)?;
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| odd(pointer, text))
    };
    // What the format leaves optional may be missing in a finding that somebody else has imported under our names, and must
    // not keep us from telling our own.
    let optional = |pointer| finding.pointer(pointer).and_then(Value::as_str);
    // What the rule said comes first, not what somebody has made of it since.
    let said = optional("/FindingProviderFields/Severity/Label").or_else(|| optional("/Severity/Label"));
    let severity = SEVERITIES.into_iter().find(|severity| Some(label(*severity)) == said);
    let said = optional("/Compliance/Status");
    let compliance = VERDICTS.into_iter().find(|verdict| Some(status(*verdict)) == said);
    let at = "/RecordState";
    let told = text(at)?;
    let archived = [true, false].into_iter().find(|archived| record_state(*archived) == told);
    let mut product_fields = BTreeMap::new();
    for (name, value) in finding.get("ProductFields").and_then(Value::as_object).into_iter().flatten() {
        if !name.starts_with(RESERVED) {
            product_fields.extend(value.as_str().map(|value| (name.clone(), value.to_owned())));
        }
    }
    Ok(Finding {
        id: text("/Id")?.to_owned(),
        title: text("/Title")?.to_owned(),
        description: text("/Description")?.to_owned(),
        severity: severity.unwrap_or(Severity::Informational),
        compliance: compliance.unwrap_or(Compliance::NotApplicable),
        remediation: optional("/Remediation/Recommendation/Text").unwrap_or(NOTHING_TO_CHANGE).to_owned(),
        role_arn: text("/Resources/0/Id")?.to_owned(),
        product_fields,
        created_at: instant("/CreatedAt")?,
        updated_at: instant("/UpdatedAt")?,
        archived: archived.ok_or_else(|| odd(at, told))?,
    })
}

/// In UTC, with milliseconds, as Security Hub writes it.
fn rfc3339(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, milliseconds) = (at.hour(), at.minute(), at.second(), at.millisecond());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
    use time::macros::datetime;

    use super::*;

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

    /// The finding as GetFindings tells it: the request's body, with what Security Hub adds.
    fn told() -> Value {
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

    /// Asks a Security Hub that answers so, and returns what it was asked with.
    async fn ask<T>(answer: &Value, ask: impl AsyncFnOnce(&SecurityHubService) -> T) -> (T, Value) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-gov-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let answer = answer.to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            // A body is JSON to its end.
            loop {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request);
                let body = text.split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str::<Value>(body));
                if let Some(Ok(body)) = body {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
                    stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
                    return body;
                }
            }
        });
        let result = ask(&SecurityHubService::new(sdk, Calls::default())).await;
        (result, server.join().unwrap())
    }

    async fn read(answer: &Value) -> Result<Vec<Finding>, PortError> {
        let source = source();
        ask(answer, async |hub: &SecurityHubService| hub.active_findings(&source, None).await).await.0
    }

    #[tokio::test]
    async fn a_finding_is_told_in_asff_and_read_back_as_it_was() {
        let (source, finding) = (source(), finding());
        let taken = json!({ "FailedCount": 0, "SuccessCount": 1, "FailedFindings": [] });
        let import =
            async |hub: &SecurityHubService| hub.import_findings(&source, std::slice::from_ref(&finding)).await;
        let (failed, request) = ask(&taken, import).await;
        assert_eq!((failed, request), (Ok(Vec::new()), json!({ "Findings": [told()] })));

        let mut held = told();
        held["ProductFields"]["aws/securityhub/FindingId"] = json!("arn");
        held["Severity"]["Label"] = json!("LOW");
        let read = read(&json!({ "Findings": [held] })).await.unwrap();
        let written = Finding { created_at: datetime!(2026-01-05 9:02:33.123 UTC), ..finding };
        assert_eq!(read, [written], "somebody's other severity is not the rule's");
    }

    #[tokio::test]
    async fn every_severity_and_status_is_told_and_read() {
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
                let (_, request) = ask(&taken, import).await;
                let told = &request["Findings"][0];
                assert_eq!(told["FindingProviderFields"]["Severity"]["Label"], label);
                assert_eq!((&told["Severity"]["Label"], &told["RecordState"]), (&json!(label), &json!("ARCHIVED")));
                assert_eq!(told["Compliance"]["Status"], status);
                let read = read(&json!({ "Findings": [told] })).await.unwrap();
                assert_eq!((read[0].severity, read[0].compliance, read[0].archived), (severity, compliance, true));
            }
        }
    }

    #[tokio::test]
    async fn active_findings_are_those_of_the_rule_the_account_and_the_region() {
        let source = source();
        let equals = |value: &str| json!([{ "Value": value, "Comparison": "EQUALS" }]);
        let mut filters = json!({
            "ProductArn": equals("arn:aws-us-gov:securityhub:us-gov-east-1:111122223333:product/111122223333/default"),
            "GeneratorId": equals("eks-node-role-ecr-read-only/rule"),
            "AwsAccountId": equals("111122223333"),
            "RecordState": equals("ACTIVE"),
        });
        let none = json!({ "Findings": [] });
        let all = async |hub: &SecurityHubService| hub.active_findings(&source, None).await;
        assert_eq!(ask(&none, all).await, (Ok(Vec::new()), json!({ "Filters": filters, "MaxResults": 100 })));
        filters["Id"] = json!([
            { "Value": "a", "Comparison": "EQUALS" },
            { "Value": "b", "Comparison": "EQUALS" },
        ]);
        let ids = ["a".to_owned(), "b".to_owned()];
        let two = async |hub: &SecurityHubService| hub.active_findings(&source, Some(&ids)).await;
        assert_eq!(ask(&none, two).await, (Ok(Vec::new()), json!({ "Filters": filters, "MaxResults": 100 })));
    }

    #[tokio::test]
    async fn a_finding_that_lacks_something_is_an_error() {
        let error = "securityhub:GetFindings of rule `rule` in account `111122223333` failed: the answer";
        for pointer in ["/Id", "/Title", "/Description", "/CreatedAt", "/UpdatedAt", "/RecordState", "/Resources/0/Id"]
        {
            for value in [Value::Null, json!(""), json!(7)] {
                let mut finding = told();
                *finding.pointer_mut(pointer).unwrap() = value;
                let result = read(&json!({ "Findings": [told(), finding] })).await;
                assert_eq!(result.unwrap_err().to_string(), format!("{error} lacks `{pointer}`"));
            }
        }
        for pointer in ["/CreatedAt", "/UpdatedAt", "/RecordState"] {
            let mut finding = told();
            *finding.pointer_mut(pointer).unwrap() = json!("odd");
            let result = read(&json!({ "Findings": [finding] })).await;
            let expected = format!("{error}'s `{pointer}` is `odd`, which is not understood");
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
        let mut finding = told();
        finding.as_object_mut().unwrap().remove("FindingProviderFields");
        assert_eq!(read(&json!({ "Findings": [finding] })).await.unwrap()[0].severity, Severity::High);
        assert_eq!(read(&json!({})).await.unwrap_err().to_string(), format!("{error} lacks `Findings`"));
    }

    #[tokio::test]
    async fn what_a_finding_need_not_have_keeps_nobody_from_the_others() {
        let mut bare = told();
        for field in ["Severity", "FindingProviderFields", "Compliance", "Remediation", "ProductFields"] {
            bare.as_object_mut().unwrap().remove(field);
        }
        let findings = read(&json!({ "Findings": [bare, told()] })).await.unwrap();
        let expected = Finding {
            severity: Severity::Informational,
            compliance: Compliance::NotApplicable,
            remediation: NOTHING_TO_CHANGE.to_owned(),
            product_fields: BTreeMap::new(),
            ..findings[1].clone()
        };
        assert_eq!(findings[0], expected);
        let mut odd = told();
        odd["Compliance"]["Status"] = json!("WARNING");
        assert_eq!(read(&json!({ "Findings": [odd] })).await.unwrap()[0].compliance, Compliance::NotApplicable);
    }

    #[tokio::test]
    async fn what_was_not_imported_is_told_in_full_or_is_an_error() {
        let (source, finding) = (source(), finding());
        let failed = |id: &str, message: Option<&str>| {
            let failed = json!({ "Id": id, "ErrorCode": "InvalidAccess", "ErrorMessage": message });
            json!({ "FailedCount": 1, "SuccessCount": 0, "FailedFindings": [failed] })
        };
        let error =
            "securityhub:BatchImportFindings of 1 findings of rule `rule` in account `111122223333` failed: the answer";
        let (no, id) = ("no".to_owned(), finding.id.clone());
        let refused = FailedFinding { id: id.clone(), code: "InvalidAccess".to_owned(), message: no };
        for (answer, expected) in [
            (failed(&id, Some("no")), Ok(vec![refused])),
            (failed(&id, None), Err(format!("{error} lacks `ErrorMessage`"))),
            (failed("", Some("no")), Err(format!("{error} lacks `Id`"))),
            (failed("x", Some("no")), Err(format!("{error} names the finding `x`, which was not sent"))),
            (json!({}), Err(format!("{error}'s counts are not those of the findings sent"))),
            (
                json!({ "FailedCount": 1, "SuccessCount": 0 }),
                Err(format!("{error}'s counts are not those of the findings sent")),
            ),
            (
                json!({ "FailedCount": 0, "SuccessCount": 2 }),
                Err(format!("{error}'s counts are not those of the findings sent")),
            ),
        ] {
            let import =
                async |hub: &SecurityHubService| hub.import_findings(&source, std::slice::from_ref(&finding)).await;
            let (result, _) = ask(&answer, import).await;
            assert_eq!(result.map_err(|error| error.to_string()), expected);
        }
    }
}
