//! The verdict on a role: which permitted actions are excess, what is missing.
//!
//! Knows the allowed sets. Knows nothing of how permissions are found.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::catalogue::{self, Action, Level, Operation, service_of};
use super::decision::{Decision, Witness};
use super::permissions::{Permissions, permissions_by};
use super::remarks::{Remark, remarks};
use super::role::Role;
use super::statements::role_statements;
use crate::policy::pattern::ActionPattern;

/// Which actions a node role may have (rule parameter `AllowedAccess`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedAccess {
    /// Read and List actions of `ecr` and `ecr-public`, and `ecr:BatchImportUpstreamImage`, which AWS's pull-only policy
    /// allows.
    #[default]
    ReadOnly,
    /// The actions that a pull needs, including pulls through a pull-through cache and from ECR Public.
    PullOnly,
    /// Exactly the four actions of the CIS EKS Benchmark 5.1.3.
    Cis,
}

const CIS: [&str; 4] =
    ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"];

/// Its access level is Write, but it writes only the image that a pull-through cache fetches during a pull.
const IMPORT_UPSTREAM: &str = "ecr:BatchImportUpstreamImage";

const PUBLIC_PULL: [&str; 2] = ["ecr-public:BatchCheckLayerAvailability", "ecr-public:GetAuthorizationToken"];

/// The worst action of its level: it pushes an image.
const PUT_IMAGE: &str = "ecr:PutImage";

/// Without one of these a node cannot pull from a private registry.
const NEEDED_TO_PULL: [&str; 3] = ["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"];

impl FromStr for AllowedAccess {
    type Err = NotAccepted;

    fn from_str(text: &str) -> Result<Self, NotAccepted> {
        match text {
            "read-only" => Ok(Self::ReadOnly),
            "pull-only" => Ok(Self::PullOnly),
            "cis" => Ok(Self::Cis),
            other => Err(NotAccepted { value: other.to_owned(), accepted: "`read-only`, `pull-only` or `cis`" }),
        }
    }
}

/// A value of a parameter that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not accepted, expected {accepted}")]
pub struct NotAccepted {
    /// The value, or the wrong parts of it.
    pub value: String,
    /// The accepted values.
    pub accepted: &'static str,
}

impl AllowedAccess {
    fn includes(self, action: &Action) -> bool {
        let name = action.full_name;
        match self {
            Self::ReadOnly => matches!(action.level, Level::Read | Level::List) || name == IMPORT_UPSTREAM,
            Self::PullOnly => CIS.contains(&name) || name == IMPORT_UPSTREAM || PUBLIC_PULL.contains(&name),
            Self::Cis => CIS.contains(&name),
        }
    }
}

/// The parameters of a verdict.
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    /// The set of allowed actions.
    pub allowed_access: AllowedAccess,
    /// More allowed actions, as literal `service:Name`. Letter case does not matter.
    pub additional_allowed_actions: Vec<String>,
    /// Whether a role that cannot pull is NON_COMPLIANT.
    pub require_pull_access: bool,
}

impl Criteria {
    /// Reads a list of literal actions, separated by commas. Spaces around them are ignored.
    ///
    /// # Errors
    /// The parts that are not literal actions, such as those with wildcards.
    pub fn parse_actions(text: &str) -> Result<Vec<String>, NotAccepted> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let literal = |part: &&str| ActionPattern::new(part).as_literal().is_some();
        let (actions, refused): (Vec<&str>, Vec<&str>) = parts.partition(literal);
        if refused.is_empty() {
            return Ok(actions.into_iter().map(str::to_owned).collect());
        }
        Err(NotAccepted {
            value: refused.join("`, `"),
            accepted: "literal actions such as `ecr:PutImage`, separated by commas and without wildcards",
        })
    }

    fn additional(&self, name: &str) -> bool {
        self.additional_allowed_actions.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn allows(&self, action: &Action) -> bool {
        self.allowed_access.includes(action) || self.additional(action.full_name)
    }

    /// Whether every action of AWS's policy AmazonEC2ContainerRegistryPullOnly is allowed
    /// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html>).
    pub fn allows_pull_only_policy(&self) -> bool {
        self.allowed_access != AllowedAccess::Cis || self.additional(IMPORT_UPSTREAM)
    }

    /// The additional actions that the catalogue does not know. They are accepted; callers warn about them.
    pub fn unknown_actions(&self) -> impl Iterator<Item = &str> {
        let unknown = |name: &&str| catalogue::find(name).is_none() && catalogue::find_operation(name).is_none();
        self.additional_allowed_actions.iter().map(String::as_str).filter(unknown)
    }

    /// The additional actions that are API operations without an action. Allowing them has no effect; callers warn about
    /// them.
    pub fn operations_without_action(&self) -> impl Iterator<Item = &'static Operation> {
        self.additional_allowed_actions.iter().filter_map(|name| catalogue::find_operation(name))
    }
}

/// AWS Config's compliance types that a rule can report
/// (<https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compliance {
    /// It is proved that the role can call no action outside the allowed set.
    Compliant,
    /// The role can call such an action, or the proof was not finished.
    NonCompliant,
    /// The resource gets no verdict.
    NotApplicable,
}

impl Compliance {
    /// The value as AWS Config spells it, such as `NON_COMPLIANT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "COMPLIANT",
            Self::NonCompliant => "NON_COMPLIANT",
            Self::NotApplicable => "NOT_APPLICABLE",
        }
    }
}

/// An action that the role can call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The action, in the catalogue's spelling.
    pub action: String,
    /// The access level.
    pub access_level: Level,
    /// The request and the statements that allow it.
    #[serde(flatten, serialize_with = "the_witness")]
    pub witness: Arc<Witness>,
}

fn the_witness<S: Serializer>(witness: &Arc<Witness>, serializer: S) -> Result<S::Ok, S::Error> {
    witness.as_ref().serialize(serializer)
}

/// The verdict on a role, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// COMPLIANT or NON_COMPLIANT.
    pub compliance: Compliance,
    /// Permitted actions outside the allowed set, the worst first.
    pub excess: Vec<Access>,
    /// All permitted actions: those of the catalogue in its order, then unknown ones.
    pub permitted: Vec<Access>,
    /// Actions that a pull needs and the role cannot call.
    pub missing: Vec<&'static str>,
    /// Actions that were not decided within the budget, in the order of [`Verdict::permitted`].
    pub undecided: Vec<String>,
    /// Allow statements that name ECR actions and match no request. They change no verdict.
    pub remarks: Vec<Remark>,
    #[serde(skip)]
    undecided_excess: Vec<String>,
    #[serde(skip)]
    require_pull_access: bool,
    #[serde(skip)]
    only_reads: bool,
}

/// The order of actions outside the allowed set: by level, `ecr` before `ecr-public`, `ecr:PutImage` before other actions.
fn worst_first(a: (Level, &str), b: (Level, &str)) -> Ordering {
    let rank = |(level, action): (Level, &str)| (level, service_of(action), action != PUT_IMAGE);
    rank(a).cmp(&rank(b)).then_with(|| a.1.cmp(b.1))
}

/// The verdict on a role, for requests made at `at` or later.
pub fn judge(role: &Role, criteria: &Criteria, at: OffsetDateTime) -> Verdict {
    let statements = role_statements(role);
    let permissions = permissions_by(role, &statements, at);
    let remarks = remarks(role, &statements, &permissions, at);
    Verdict { remarks, ..Verdict::new(permissions, criteria) }
}

impl Verdict {
    fn new(permissions: Permissions, criteria: &Criteria) -> Self {
        let (mut excess, mut permitted) = (Vec::new(), Vec::new());
        let (mut undecided, mut undecided_excess) = (Vec::new(), Vec::new());
        let mut missing = NEEDED_TO_PULL.to_vec();
        let mut only_reads = true;
        for (action, decision) in catalogue::actions().iter().zip(permissions.catalogued) {
            match decision {
                Decision::Refused => continue,
                Decision::Permitted(witness) => {
                    let access = Access { action: action.full_name.to_owned(), access_level: action.level, witness };
                    if !criteria.allows(action) {
                        excess.push(access.clone());
                    }
                    permitted.push(access);
                }
                Decision::Undecided => {
                    undecided.push(action.full_name.to_owned());
                    if !criteria.allows(action) {
                        undecided_excess.push((action.level, action.full_name.to_owned()));
                    }
                }
            }
            only_reads &= AllowedAccess::ReadOnly.includes(action);
            missing.retain(|needed| *needed != action.full_name);
        }
        for (action, decision) in permissions.unknown {
            only_reads &= decision == Decision::Refused;
            let allowed = criteria.additional(&action);
            match decision {
                Decision::Refused => {}
                Decision::Permitted(witness) => {
                    let access = Access { action, access_level: Level::Unknown, witness };
                    if !allowed {
                        excess.push(access.clone());
                    }
                    permitted.push(access);
                }
                Decision::Undecided => {
                    undecided.push(action.clone());
                    if !allowed {
                        undecided_excess.push((Level::Unknown, action));
                    }
                }
            }
        }
        excess.sort_by(|a, b| worst_first((a.access_level, &a.action), (b.access_level, &b.action)));
        undecided_excess.sort_by(|(a_level, a), (b_level, b)| worst_first((*a_level, a), (*b_level, b)));
        let undecided_excess: Vec<String> = undecided_excess.into_iter().map(|(_, action)| action).collect();
        let cannot_pull = criteria.require_pull_access && !missing.is_empty();
        let compliant = excess.is_empty() && undecided_excess.is_empty() && !cannot_pull;
        Self {
            compliance: if compliant { Compliance::Compliant } else { Compliance::NonCompliant },
            excess,
            permitted,
            missing,
            undecided,
            remarks: Vec::new(),
            undecided_excess,
            require_pull_access: criteria.require_pull_access,
            only_reads,
        }
    }

    /// Orders verdicts, the worst one first: NON_COMPLIANT before COMPLIANT, then by excess, by the number of undecided
    /// actions outside the allowed set, and by what a pull needs.
    pub fn worst_first(&self, other: &Self) -> Ordering {
        let by_excess = || {
            let pairs = self.excess.iter().zip(&other.excess);
            let by_action = pairs.map(|(a, b)| worst_first((a.access_level, &a.action), (b.access_level, &b.action)));
            by_action.fold(Ordering::Equal, Ordering::then).then(other.excess.len().cmp(&self.excess.len()))
        };
        let compliant = |verdict: &Self| verdict.compliance == Compliance::Compliant;
        (compliant(self).cmp(&compliant(other)))
            .then_with(by_excess)
            .then(other.undecided_excess.len().cmp(&self.undecided_excess.len()))
            .then(other.missing.len().cmp(&self.missing.len()))
            .then(self.only_reads.cmp(&other.only_reads))
    }

    /// Whether every action that the role can call, or may be able to call, is a Read or List action, or
    /// `ecr:BatchImportUpstreamImage`.
    pub fn only_reads(&self) -> bool {
        self.only_reads
    }

    /// The actions of [`Verdict::undecided`] that are outside the allowed set, the worst first.
    pub fn undecided_excess(&self) -> &[String] {
        &self.undecided_excess
    }

    /// Whether the parameters require that the role can pull, and it cannot.
    pub fn cannot_pull(&self) -> bool {
        self.require_pull_access && !self.missing.is_empty()
    }
}
