//! A finding of AWS Security Hub: what the rule tells there of one role.
//!
//! Knows what identifies findings of a rule, and what one is made of, in the words of the AWS Security Finding Format
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>). What a finding says is
//! put in words by [`super::finding_text`], and who is told is [`super::findings`]' business.

use std::collections::BTreeMap;
use std::fmt;

use time::OffsetDateTime;

use crate::access::Compliance;
use crate::policy::arn::Arn;
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::role_name;

/// What findings of the rule are called by, whatever the rule's own name is.
const GENERATOR: &str = "eks-node-role-ecr-read-only";

/// The type of all findings, of Security Hub's taxonomy
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>).
pub const FINDING_TYPE: &str = "Software and Configuration Checks/Industry and Regulatory Standards";

/// The requirement that the rule is about.
pub const RELATED_REQUIREMENT: &str = "CIS Amazon EKS Benchmark 5.1.3";

/// The page that tells what a node's role needs.
pub const REMEDIATION_URL: &str = "https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html";

/// What there is to do where nothing is wrong. Said and not left out, for else what was to be done before would stay.
pub const NOTHING_TO_CHANGE: &str = "Nothing needs to be changed.";

/// The rule in one account, as the source of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingSource {
    /// The account that the findings are of, twelve digits.
    pub account_id: String,
    /// The rule's name in AWS Config.
    pub rule_name: String,
    /// The rule's ARN.
    pub rule_arn: String,
    /// The partition of the rule.
    pub partition: String,
    /// The region of the rule, and so of the findings.
    pub region: String,
}

impl FindingSource {
    /// `rule_arn` tells partition and region: `arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef`
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html>). None if it does not.
    pub fn new(account_id: &str, rule_name: &str, rule_arn: &str) -> Option<Self> {
        let arn = Arn::parse(rule_arn)?;
        let is_rule = arn.service == "config" && arn.resource.starts_with("config-rule/");
        (is_rule && !arn.partition.is_empty() && !arn.region.is_empty()).then(|| Self {
            account_id: account_id.to_owned(),
            rule_name: rule_name.to_owned(),
            rule_arn: rule_arn.to_owned(),
            partition: arn.partition.to_owned(),
            region: arn.region.to_owned(),
        })
    }

    /// The product that the findings are of: the account's own
    /// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-custom-providers.html>).
    pub fn product_arn(&self) -> String {
        let Self { partition, region, account_id, .. } = self;
        format!("arn:{partition}:securityhub:{region}:{account_id}:product/{account_id}/default")
    }

    /// What generates the findings: this rule. At most 512 characters.
    pub fn generator_id(&self) -> String {
        format!("{GENERATOR}/{}", self.rule_name)
    }

    /// The id of the finding of a role, by the role's unique id: always the same. At most 512 characters.
    pub fn finding_id(&self, role_id: &str) -> String {
        format!("{GENERATOR}/{}/{}/{role_id}", self.account_id, self.rule_name)
    }
}

/// How bad a finding is, by Security Hub's labels
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing was found.
    Informational,
    /// It needs no action of its own.
    Low,
    /// It has to be dealt with, without haste.
    Medium,
    /// It has to be dealt with first.
    High,
    /// It has to be dealt with now.
    Critical,
}

/// What is said of one role. Texts keep to Security Hub's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What identifies it, see [`FindingSource::finding_id`].
    pub id: String,
    /// At most 256 characters.
    pub title: String,
    /// At most 1,024 characters.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
    /// COMPLIANT is told as PASSED, NON_COMPLIANT as FAILED.
    pub compliance: Compliance,
    /// What to do, at most 512 characters.
    pub remediation: String,
    /// The role's ARN, path included.
    pub role_arn: String,
    /// Further facts by name: at most 50, of at most 2,048 characters each.
    pub product_fields: BTreeMap<String, String>,
    /// When the rule first told of the role, since it last began to be judged.
    pub created_at: OffsetDateTime,
    /// The time of the evaluation that this was said in. Security Hub does not take what is not later than what it has
    /// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
    pub updated_at: OffsetDateTime,
    /// Whether it is archived: the rule has nothing to say of the role any more.
    pub archived: bool,
}

impl Finding {
    /// The role's unique id.
    pub fn role_id(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }

    /// The role's path, `/` if it has none.
    pub fn role_path(&self) -> &str {
        Arn::parse(&self.role_arn).and_then(|arn| arn.role_path()).unwrap_or("/")
    }

    /// The role's name.
    pub fn role_name(&self) -> &str {
        role_name(&self.role_arn)
    }

    /// The partition that the role is in.
    pub fn partition(&self) -> &str {
        Arn::parse(&self.role_arn).map_or("", |arn| arn.partition)
    }
}

/// A finding that Security Hub did not take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedFinding {
    /// Its id.
    pub id: String,
    /// Security Hub's error code, such as `InvalidAccess`.
    pub code: String,
    /// What Security Hub says.
    pub message: String,
}

impl fmt::Display for FailedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}: {})", self.id, self.code, self.message)
    }
}

/// The part of AWS Security Hub that holds findings.
pub trait FindingStore {
    /// The active findings of the source: all, or those of at most 20 ids.
    fn active_findings(
        &self,
        source: &FindingSource,
        ids: Option<&[String]>,
    ) -> impl Future<Output = Result<Vec<Finding>, PortError>> + Send;

    /// Imports at most 100 findings. Returns those that failed, each of which was sent.
    fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> impl Future<Output = Result<Vec<FailedFinding>, PortError>> + Send;
}
