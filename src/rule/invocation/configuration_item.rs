//! Reads configuration items: the resource that a change event is about.
//!
//! Knows the items of IAM roles and policies and of EKS clusters and Fargate profiles, complete or as the summary of an
//! oversized item, in the spellings of events and of `GetResourceConfigHistory`
//! (<https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigurationItem.html>). Policies are read from IAM. Of the
//! item's copies only the trust policy is used, to rule a role out without a call. The other copies are parsed too, because
//! an item that is not understood gets no answer. A copy that is a list is only a warning: IAM has the policy.

use time::OffsetDateTime;

use crate::access::NotApplicable;
use crate::policy::arn::Arn;
use crate::policy::{Document, DocumentError, TrustPolicy};
use crate::rule::invocation::fields::{EventError, Fields};
use crate::rule::ports::config::ResourceId;
use crate::rule::ports::eks::ClusterId;

/// AWS Config's type of an IAM role.
pub(in crate::rule) const ROLE: &str = "AWS::IAM::Role";
/// AWS Config's type of a customer managed policy. It does not record AWS managed policies.
pub(in crate::rule) const POLICY: &str = "AWS::IAM::Policy";
/// AWS Config's type of an EKS cluster.
pub(in crate::rule) const CLUSTER: &str = "AWS::EKS::Cluster";
/// AWS Config's type of an instance profile.
pub(in crate::rule) const INSTANCE_PROFILE: &str = "AWS::IAM::InstanceProfile";
/// AWS Config's type of a Fargate profile of a cluster.
pub(in crate::rule) const FARGATE_PROFILE: &str = "AWS::EKS::FargateProfile";

/// Why AWS Config invoked the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// An `AWS::IAM::Role` changed.
    RoleChanged(ChangedRole),
    /// An `AWS::IAM::Policy` changed: the node roles that it is attached to are evaluated.
    PolicyChanged(ChangedPolicy),
    /// An `AWS::EKS::Cluster` or an `AWS::EKS::FargateProfile` changed: the node roles that it names are evaluated.
    ClusterChanged(ChangedCluster),
    /// An `AWS::IAM::InstanceProfile` changed: if its role is a node role, it is evaluated.
    InstanceProfileChanged(ChangedInstanceProfile),
    /// A resource of any other type changed.
    OtherResource(ResourceId),
    /// A resource was deleted, is not recorded, or is no longer in the rule's scope.
    OutOfScope {
        /// The resource.
        resource: ResourceId,
        /// Why it gets no verdict.
        reason: OutOfScope,
    },
    /// All node roles of the account are evaluated: on a schedule, or after a configuration snapshot.
    AllRoles {
        /// The rule's name. Its earlier verdicts are cleared if they are out of date.
        rule_name: String,
    },
}

impl Trigger {
    /// Whether all node roles are evaluated, and not only those of one resource.
    pub fn is_all_roles(&self) -> bool {
        matches!(self, Self::AllRoles { .. })
    }

    /// The trigger in a few words, for the log.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RoleChanged(_) => label::ROLE_CHANGED,
            Self::PolicyChanged(_) => label::POLICY_CHANGED,
            Self::ClusterChanged(_) => label::CLUSTER_CHANGED,
            Self::InstanceProfileChanged(_) => label::INSTANCE_PROFILE_CHANGED,
            Self::OtherResource(_) => label::OTHER_CHANGED,
            Self::OutOfScope { .. } => label::OUT_OF_SCOPE,
            Self::AllRoles { .. } => label::ALL_ROLES,
        }
    }
}

/// The triggers in a few words: values of the log's field `trigger`.
pub(in crate::rule) mod label {
    pub(in crate::rule) const ROLE_CHANGED: &str = "role changed";
    pub(in crate::rule) const POLICY_CHANGED: &str = "policy changed";
    pub(in crate::rule) const CLUSTER_CHANGED: &str = "cluster changed";
    pub(in crate::rule) const INSTANCE_PROFILE_CHANGED: &str = "instance profile changed";
    pub(in crate::rule) const OTHER_CHANGED: &str = "other resource changed";
    pub(in crate::rule) const OUT_OF_SCOPE: &str = "resource out of scope";
    pub(in crate::rule) const ALL_ROLES: &str = "all roles";
}

/// A role that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRole {
    /// The unique id, `AROA…`, which is the resource id of AWS Config.
    pub id: String,
    /// The name.
    pub name: String,
    /// The ARN, if the item has it.
    pub arn: Option<String>,
    /// The trust policy. The summary of an oversized item has none.
    pub trust_policy: Option<TrustPolicy>,
}

/// A customer managed policy that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPolicy {
    /// The unique id, `ANPA…`, which is the resource id of AWS Config.
    pub id: String,
    /// The ARN.
    pub arn: String,
}

/// A cluster that changed, or a Fargate profile of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedCluster {
    /// The resource id of AWS Config.
    pub id: String,
    /// The cluster.
    pub cluster: ClusterId,
    /// The name of the Fargate profile, if the profile changed.
    pub fargate_profile: Option<String>,
}

/// An instance profile that changed. IAM has its roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedInstanceProfile {
    /// The resource id of AWS Config.
    pub id: String,
    /// The name.
    pub name: String,
}

/// Why the resource of an event gets no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfScope {
    /// It was deleted.
    Deleted,
    /// AWS Config does not record it here.
    NotRecorded,
    /// The rule's scope no longer covers it (`eventLeftScope`).
    LeftScope,
}

impl From<OutOfScope> for NotApplicable {
    fn from(reason: OutOfScope) -> Self {
        match reason {
            OutOfScope::Deleted => Self::Deleted,
            OutOfScope::NotRecorded => Self::NotRecorded,
            OutOfScope::LeftScope => Self::LeftScope,
        }
    }
}

/// A configuration item or the summary of one.
pub(in crate::rule) struct Item {
    path: String,
    resource: ResourceId,
    name: Option<String>,
    arn: Option<String>,
    region: Option<String>,
    gone: Option<OutOfScope>,
    configuration: Option<Fields>,
    pub(in crate::rule) account_id: Option<String>,
    pub(in crate::rule) capture_time: Option<OffsetDateTime>,
}

impl Item {
    pub(in crate::rule) fn parse(item: &Fields) -> Result<Self, EventError> {
        let resource_type = item.required_text("resourceType")?;
        let configuration = item.object("configuration")?;
        let configured = |name: &str| match &configuration {
            Some(configuration) => configuration.text(name),
            None => Ok(None),
        };
        let (id_field, name_field) = match resource_type.as_str() {
            ROLE => (Some("roleId"), Some("roleName")),
            POLICY => (Some("policyId"), Some("policyName")),
            _ => (None, None),
        };
        let id = match (item.text("resourceId")?, id_field) {
            (Some(id), _) => Some(id),
            (None, Some(field)) => configured(field)?,
            (None, None) => None,
        };
        let id = id.ok_or_else(|| EventError::absent(&item.path_of("resourceId")))?;
        let arn = match (item.text("ARN")?, item.text("arn")?) {
            (Some(arn), _) | (None, Some(arn)) => Some(arn),
            (None, None) if name_field.is_some() => configured("arn")?,
            (None, None) => None,
        };
        let name = match (item.text("resourceName")?, name_field) {
            (Some(name), _) => Some(name),
            (None, Some(field)) => configured(field)?,
            (None, None) => None,
        };
        let account_id = match item.account_id("awsAccountId")? {
            Some(account) => Some(account),
            None => item.account_id("accountId")?,
        };
        Ok(Self {
            path: item.path_of(""),
            resource: ResourceId { resource_type, id },
            name: name.or_else(|| arn.as_deref().and_then(|arn| Arn::parse(arn)?.name()).map(str::to_owned)),
            arn,
            region: item.text("awsRegion")?,
            gone: gone(item)?,
            configuration,
            account_id,
            capture_time: item.instant("configurationItemCaptureTime")?,
        })
    }

    /// The trigger that the item is. Adds a warning for each policy document that is a list.
    pub(in crate::rule) fn trigger(
        self,
        left_scope: bool,
        warnings: &mut Vec<EventError>,
    ) -> Result<Trigger, EventError> {
        // A deletion sets `eventLeftScope` too. The deletion is the more exact reason.
        if let Some(reason) = self.gone.or(left_scope.then_some(OutOfScope::LeftScope)) {
            return Ok(Trigger::OutOfScope { resource: self.resource, reason });
        }
        let configuration = self.configuration.as_ref();
        match self.resource.resource_type.as_str() {
            ROLE => Ok(Trigger::RoleChanged(ChangedRole {
                trust_policy: match configuration {
                    Some(configuration) => trust_policy(configuration, warnings)?,
                    None => None,
                },
                id: self.resource.id,
                name: self.name.ok_or_else(|| EventError::absent(&format!("{}resourceName", self.path)))?,
                arn: self.arn,
            })),
            POLICY => {
                if let Some(configuration) = configuration {
                    check_default_version(configuration, warnings)?;
                }
                Ok(Trigger::PolicyChanged(ChangedPolicy {
                    id: self.resource.id,
                    arn: self.arn.ok_or_else(|| EventError::absent(&format!("{}ARN", self.path)))?,
                }))
            }
            INSTANCE_PROFILE => Ok(Trigger::InstanceProfileChanged(ChangedInstanceProfile {
                name: self.name.unwrap_or_else(|| self.resource.id.clone()),
                id: self.resource.id,
            })),
            CLUSTER | FARGATE_PROFILE => self.cluster().map(Trigger::ClusterChanged),
            _ => Ok(Trigger::OtherResource(self.resource)),
        }
    }

    /// The cluster of an EKS item. Its region and name are in the ARN:
    /// `arn:aws:eks:us-east-1:111122223333:cluster/NAME`, `…:fargateprofile/CLUSTER/NAME/ID`
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>).
    fn cluster(self) -> Result<ChangedCluster, EventError> {
        let is_profile = self.resource.resource_type == FARGATE_PROFILE;
        let arn = self.arn.as_deref().and_then(Arn::parse);
        let region = arn.map(|arn| arn.region).filter(|region| !region.is_empty()).map(str::to_owned).or(self.region);
        let mut path = arn.map_or("", |arn| arn.resource).split('/');
        let (kind, first, second) = (path.next(), path.next(), path.next());
        let (name, fargate_profile) = match (kind, first, second) {
            (Some("cluster"), Some(cluster), _) if !is_profile => (Some(cluster.to_owned()), None),
            (Some("fargateprofile"), Some(cluster), Some(profile)) if is_profile => {
                (Some(cluster.to_owned()), Some(profile.to_owned()))
            }
            _ if is_profile => (None, None),
            _ => (self.name.or_else(|| Some(self.resource.id.clone())), None),
        };
        let absent = |field: &str| EventError::absent(&format!("{}{field}", self.path));
        Ok(ChangedCluster {
            cluster: ClusterId {
                region: region.ok_or_else(|| absent("awsRegion"))?,
                name: name.filter(|name| !name.is_empty()).ok_or_else(|| absent("ARN"))?,
            },
            fargate_profile,
            id: self.resource.id,
        })
    }
}

/// A role's trust policy. If it does not rule the role out, the inline policies are parsed too.
fn trust_policy(configuration: &Fields, warnings: &mut Vec<EventError>) -> Result<Option<TrustPolicy>, EventError> {
    let trust_policy = document(configuration, "assumeRolePolicyDocument", TrustPolicy::parse, warnings)?;
    if !trust_policy.as_ref().is_some_and(TrustPolicy::rules_out_nodes) {
        for policy in configuration.objects("rolePolicyList")? {
            document(&policy, "policyDocument", Document::parse, warnings)?;
        }
    }
    Ok(trust_policy)
}

fn check_default_version(configuration: &Fields, warnings: &mut Vec<EventError>) -> Result<(), EventError> {
    for version in configuration.objects("policyVersionList")? {
        if version.text("isDefaultVersion")?.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            document(&version, "document", Document::parse, warnings)?;
        }
    }
    Ok(())
}

/// The document of a field. A list is no document: it is a warning, and the policy is read from IAM.
fn document<D>(
    of: &Fields,
    name: &str,
    parse: impl FnOnce(&str) -> Result<D, DocumentError>,
    warnings: &mut Vec<EventError>,
) -> Result<Option<D>, EventError> {
    match of.list_of_documents(name) {
        Some(warning) => {
            warnings.push(warning);
            Ok(None)
        }
        None => of.document(name, parse),
    }
}

/// The reason if the item's status means that the resource is gone. Without a status the resource is read from IAM.
fn gone(item: &Fields) -> Result<Option<OutOfScope>, EventError> {
    // Only the summary of an oversized item has a change type.
    if item.text("changeType")?.is_some_and(|change| change.eq_ignore_ascii_case("DELETE")) {
        return Ok(Some(OutOfScope::Deleted));
    }
    let Some(status) = item.text("configurationItemStatus")? else { return Ok(None) };
    match status.to_ascii_lowercase().as_str() {
        "ok" | "resourcediscovered" => Ok(None),
        "resourcedeleted" | "resourcedeletednotrecorded" => Ok(Some(OutOfScope::Deleted)),
        "resourcenotrecorded" => Ok(Some(OutOfScope::NotRecorded)),
        _ => Err(EventError::unknown_value(
            &item.path_of("configurationItemStatus"),
            &status,
            "`OK`, `ResourceDiscovered`, `ResourceNotRecorded`, `ResourceDeleted` or `ResourceDeletedNotRecorded`",
        )),
    }
}
