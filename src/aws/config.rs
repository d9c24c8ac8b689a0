//! AWS Config: takes evaluations, and tells those it took before.
//!
//! Knows the operations and how AWS Config spells verdicts. The result token is a secret: it goes into the
//! request and nowhere else.

use aws_sdk_config::Client;
use aws_sdk_config::primitives::DateTime;
use aws_sdk_config::types::{ComplianceType, Evaluation as SdkEvaluation};

use super::error::{failed, told, untold};
use super::pages::leads_on;
use crate::access::Compliance;
use crate::rule::ResultToken;
use crate::rule::ports::{ComplianceStore, Evaluation, PortError, ResourceId};

/// The most that GetComplianceDetailsByConfigRule puts on a page.
const PAGE: i32 = 100;

/// AWS Config of one account and region.
#[derive(Debug, Clone)]
pub struct ConfigService {
    client: Client,
}

impl ConfigService {
    /// Asks by `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl ComplianceStore for ConfigService {
    async fn put_evaluations(
        &self,
        token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> Result<Vec<ResourceId>, PortError> {
        const OPERATION: &str = "config:PutEvaluations";
        let resource = format!("{} evaluations", evaluations.len());
        let evaluations = evaluations
            .iter()
            .map(to_sdk)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| PortError::new(OPERATION, &resource, error.to_string()))?;
        let answer = self
            .client
            .put_evaluations()
            .result_token(token.expose())
            .test_mode(test_mode)
            .set_evaluations(Some(evaluations))
            .send()
            .await
            .map_err(|error| failed(OPERATION, &resource, &error).redact(token.expose()))?;
        Ok(answer
            .failed_evaluations()
            .iter()
            .map(|failed| ResourceId {
                resource_type: failed.compliance_resource_type().to_owned(),
                id: failed.compliance_resource_id().to_owned(),
            })
            .collect())
    }

    async fn reported(&self, rule_name: &str) -> Result<Vec<ResourceId>, PortError> {
        const OPERATION: &str = "config:GetComplianceDetailsByConfigRule";
        let resource = format!("rule `{rule_name}`");
        let mut results = self
            .client
            .get_compliance_details_by_config_rule()
            .config_rule_name(rule_name)
            .compliance_types(ComplianceType::Compliant)
            .compliance_types(ComplianceType::NonCompliant)
            .limit(PAGE)
            .into_paginator()
            .send();
        let (mut reported, mut asked_with) = (Vec::new(), None);
        while let Some(page) = results.next().await {
            let page = page.map_err(|error| failed(OPERATION, &resource, &error))?;
            leads_on(OPERATION, &resource, "NextToken", page.next_token(), &mut asked_with)?;
            for result in page.evaluation_results() {
                let qualifier = result
                    .evaluation_result_identifier()
                    .and_then(|identifier| identifier.evaluation_result_qualifier())
                    .ok_or_else(|| untold(OPERATION, &resource, "EvaluationResultQualifier"))?;
                let told = |field, value| told(OPERATION, &resource, field, value).map(str::to_owned);
                reported.push(ResourceId {
                    resource_type: told("ResourceType", qualifier.resource_type())?,
                    id: told("ResourceId", qualifier.resource_id())?,
                });
            }
        }
        Ok(reported)
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
