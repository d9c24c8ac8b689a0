//! AWS Config: stores evaluations, and lists the resources that have one.
//!
//! The result token is a secret: it goes into the request and nowhere else.

use aws_sdk_config::Client;
use aws_sdk_config::primitives::DateTime;
use aws_sdk_config::types::{ComplianceType, Evaluation as SdkEvaluation};

use time::OffsetDateTime;

use super::call::Call;
use super::pace::Pace;
use super::pages;
use crate::access::Compliance;
use crate::rule::ports::{ComplianceStore, Evaluation, Page, PortError, Reported, ResourceId, ResultToken};

/// The most items that GetComplianceDetailsByConfigRule puts on a page
/// (<https://docs.aws.amazon.com/config/latest/APIReference/API_GetComplianceDetailsByConfigRule.html>).
const ITEMS_PER_PAGE: i32 = 100;

/// AWS Config of one account and region.
#[derive(Debug, Clone)]
pub struct ConfigService {
    client: Client,
    pace: Pace,
}

impl ConfigService {
    /// Uses this client, at this pace.
    pub(super) fn new(client: Client, pace: Pace) -> Self {
        Self { client, pace }
    }
}

impl ComplianceStore for ConfigService {
    async fn put_evaluations(
        &self,
        token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> Result<Vec<ResourceId>, PortError> {
        let call = Call::new("config:PutEvaluations", format!("{} evaluations", evaluations.len()));
        let evaluations = evaluations.iter().map(to_sdk).collect::<Result<Vec<_>, _>>();
        let evaluations = evaluations.map_err(|error| call.error(error.to_string()))?;
        let request = self.client.put_evaluations().result_token(token.expose()).test_mode(test_mode);
        let request = request.set_evaluations(Some(evaluations));
        let response = call.send(&self.pace, || request.clone().send()).await;
        let response = response.map_err(|error| call.failed(&error).redact(token.expose()))?;
        let refused = response.failed_evaluations().iter().map(|refused| ResourceId {
            resource_type: refused.compliance_resource_type().to_owned(),
            id: refused.compliance_resource_id().to_owned(),
        });
        Ok(refused.collect())
    }

    async fn reported(&self, rule_name: &str) -> Result<Vec<Reported>, PortError> {
        let call = Call::new("config:GetComplianceDetailsByConfigRule", format!("rule `{rule_name}`"));
        let request = |token| {
            let request = self.client.get_compliance_details_by_config_rule().config_rule_name(rule_name);
            let request =
                request.compliance_types(ComplianceType::Compliant).compliance_types(ComplianceType::NonCompliant);
            request.limit(ITEMS_PER_PAGE).set_next_token(token).send()
        };
        pages::list(&call, &self.pace, "NextToken", request, |page| {
            let resources = page.evaluation_results().iter().map(|result| {
                let qualifier = result
                    .evaluation_result_identifier()
                    .and_then(|identifier| identifier.evaluation_result_qualifier())
                    .ok_or_else(|| call.missing_field("EvaluationResultQualifier"))?;
                let resource = ResourceId {
                    resource_type: call.required("ResourceType", qualifier.resource_type())?,
                    id: call.required("ResourceId", qualifier.resource_id())?,
                };
                let recorded = result.result_recorded_time().ok_or_else(|| call.missing_field("ResultRecordedTime"))?;
                let recorded_at = OffsetDateTime::from_unix_timestamp_nanos(recorded.as_nanos())
                    .map_err(|_| call.error("the response's `ResultRecordedTime` is not a time"))?;
                Ok(Reported { resource, annotation: result.annotation().map(str::to_owned), recorded_at })
            });
            Ok(Page { items: resources.collect::<Result<_, PortError>>()?, next: page.next_token })
        })
        .await
    }
}

fn to_sdk(evaluation: &Evaluation) -> Result<SdkEvaluation, aws_sdk_config::error::BuildError> {
    let at = evaluation.ordering_timestamp;
    SdkEvaluation::builder()
        .compliance_resource_type(&evaluation.resource.resource_type)
        .compliance_resource_id(&evaluation.resource.id)
        .compliance_type(match evaluation.compliance {
            Compliance::Compliant => ComplianceType::Compliant,
            Compliance::NonCompliant => ComplianceType::NonCompliant,
            Compliance::NotApplicable => ComplianceType::NotApplicable,
        })
        .set_annotation(evaluation.annotation.clone())
        .ordering_timestamp(DateTime::from_secs_and_nanos(at.unix_timestamp(), at.nanosecond()))
        .build()
}
