//! Findings of AWS Security Hub, one for each evaluated role, as a trait and plain types.
//!
//! The fields have the names of the AWS Security Finding Format
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>). The texts and the choice
//! of findings are in `rule/report`.

use std::collections::BTreeMap;
use std::fmt;

use time::OffsetDateTime;

use crate::access::Compliance;
use crate::policy::arn::Arn;
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::{Page, role_name};

/// The start of the ids of all findings. The name of the Config rule is added to it.
const GENERATOR: &str = "eks-node-role-ecr-read-only";

/// The type of all findings, from Security Hub's taxonomy
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>).
pub const FINDING_TYPE: &str = "Software and Configuration Checks/Industry and Regulatory Standards";

/// The requirement that the rule is about.
pub const RELATED_REQUIREMENT: &str = "CIS Amazon EKS Benchmark 5.1.3";

/// The page about the permissions that a node role needs.
pub const REMEDIATION_URL: &str = "https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html";

/// The remediation of a compliant role. Without a text, Security Hub would keep the remediation of an earlier finding.
pub const NOTHING_TO_CHANGE: &str = "Nothing needs to be changed.";

/// The rule in one account, as the source of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingSource {
    /// The account of the roles and the findings, twelve digits.
    pub account_id: String,
    /// The rule's name in AWS Config.
    pub rule_name: String,
    /// The rule's ARN.
    pub rule_arn: String,
    /// The rule's partition.
    pub partition: String,
    /// The rule's region, which is also the region of the findings.
    pub region: String,
}

impl FindingSource {
    /// Partition and region are those of `rule_arn`: `arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef`
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html>). `None` if that is not the
    /// ARN of a Config rule.
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

    /// The product of the findings: the account's default product for custom findings
    /// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-custom-providers.html>).
    pub fn product_arn(&self) -> String {
        let Self { partition, region, account_id, .. } = self;
        format!("arn:{partition}:securityhub:{region}:{account_id}:product/{account_id}/default")
    }

    /// The generator of the findings: this rule. At most 512 characters.
    pub fn generator_id(&self) -> String {
        format!("{GENERATOR}/{}", self.rule_name)
    }

    /// The id of a role's finding. It is always the same for the same unique id of a role. At most 512 characters.
    pub fn finding_id(&self, role_id: &str) -> String {
        format!("{GENERATOR}/{}/{}/{role_id}", self.account_id, self.rule_name)
    }
}

/// The severity of a finding, by Security Hub's labels
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// There is no issue.
    Informational,
    /// The issue needs no separate action.
    Low,
    /// The issue must be fixed, but not urgently.
    Medium,
    /// The issue must be fixed with priority.
    High,
    /// The issue must be fixed immediately.
    Critical,
}

/// The finding of one role. Texts keep to Security Hub's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The id, see [`FindingSource::finding_id`].
    pub id: String,
    /// At most 256 characters.
    pub title: String,
    /// At most 1,024 characters.
    pub description: String,
    /// The severity.
    pub severity: Severity,
    /// COMPLIANT becomes PASSED, NON_COMPLIANT becomes FAILED.
    pub compliance: Compliance,
    /// What to do, at most 512 characters.
    pub remediation: String,
    /// The role's ARN, path included.
    pub role_arn: String,
    /// Further facts by name: at most 50, of at most 2,048 characters each.
    pub product_fields: BTreeMap<String, String>,
    /// When the finding was first imported, since the role was last without one.
    pub created_at: OffsetDateTime,
    /// The time of the evaluation. Security Hub ignores an update that is not newer than the finding
    /// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
    pub updated_at: OffsetDateTime,
    /// Whether it is archived: the role has no verdict any more.
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

/// A finding that Security Hub holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFinding {
    /// The finding.
    pub finding: Finding,
    /// Whether the fields that [`Finding`] does not have are those that an import sends.
    pub is_as_sent: bool,
}

/// A finding that Security Hub did not take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedFinding {
    /// Its id.
    pub id: String,
    /// Security Hub's error code, such as `InvalidAccess`.
    pub code: String,
    /// Security Hub's message.
    pub message: String,
}

impl fmt::Display for FailedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}: {})", self.id, self.code, self.message)
    }
}

/// The part of AWS Security Hub that stores findings.
pub trait FindingStore {
    /// A page of the active findings of the source: of all of them, or of those with one of at most 20 ids. Without a
    /// marker the first page. A caller that can do without the response gives up early: it fails after a few throttled
    /// attempts.
    fn active_findings(
        &self,
        source: &FindingSource,
        ids: Option<&[String]>,
        marker: Option<&str>,
        give_up_early: bool,
    ) -> impl Future<Output = Result<Page<HeldFinding>, PortError>> + Send;

    /// Imports at most 100 findings. Returns those that failed; each of them is one of `findings`.
    fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> impl Future<Output = Result<Vec<FailedFinding>, PortError>> + Send;
}
