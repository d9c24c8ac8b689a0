//! The outcome of an evaluation: the answers for AWS Config, and numbers for the log and the metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::OffsetDateTime;

use crate::access::{Access, Annotation, Compliance, NotApplicable, Remark, Role, Verdict};
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::ROLE;
use crate::rule::nodes::classify::NodeClassifier;
use crate::rule::nodes::exemption::{NoExemption, TagRemark};
use crate::rule::nodes::facts::NodeFact;
use crate::rule::ports::config::{Evaluation, ResourceId};
use crate::rule::ports::iam::{name_key, role_name};
use crate::rule::ports::security_hub::Finding;
use crate::rule::report::problem::{NAMED_ROLES, list};
use serde::Serialize;

/// The outcome of an evaluation.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The trigger in a few words, see [`Trigger::label`](crate::rule::Trigger::label).
    pub trigger: &'static str,
    /// Whether this is a run over all roles whose answers AWS Config stores, as on a schedule.
    pub scheduled: bool,
    /// The answers. On an event, the answer about the event's own resource comes first. On a schedule, those that AWS Config
    /// stored before the evaluation ended are not here, but in `stored`.
    pub answers: Vec<Answer>,
    /// The answers that AWS Config stored before the evaluation ended. A large account has too many to keep them whole.
    pub stored: StoredAnswers,
    /// How many uses of a role by a cluster are not about a role of this account.
    pub facts_elsewhere: usize,
    /// Regions that the parameters name and that are not enabled in the account, and regions that were skipped because a
    /// service control policy closes them.
    pub closed_regions: Vec<String>,
    /// The roles, by id, whose earlier verdicts a schedule kept: a cluster in a skipped region can run nodes with them.
    pub kept: Vec<String>,
    /// The roles that are or may be node roles and that a parameter exempts, by the key of their name.
    pub exempt: BTreeMap<String, ExemptRole>,
    /// Resources whose evaluations AWS Config did not take in this run. The next scheduled run sends them.
    pub left_to_schedule: Vec<ResourceId>,
    /// How many findings were sent; `None` if the rule sends no findings.
    pub findings: Option<FindingCounts>,
    /// The ids of the roles that AWS Config showed with a verdict before this run; `None` if they were not read.
    pub reported: Option<BTreeSet<String>>,
}

impl Outcome {
    pub(in crate::rule) fn new(invocation: &Invocation) -> Self {
        Self {
            trigger: invocation.trigger.label(),
            scheduled: invocation.trigger.is_all_roles() && !invocation.result_token.asks_for_test_mode(),
            ..Self::default()
        }
    }

    /// Takes over the numbers about the clusters that were listed.
    pub(in crate::rule) fn set_clusters(&mut self, classifier: &NodeClassifier<'_>) {
        self.facts_elsewhere = classifier.named_by_eks().elsewhere();
        self.closed_regions.clone_from(&classifier.clusters().closed_regions);
    }

    /// Adds a role that a parameter exempts. `id` is its unique id, if it was read.
    pub(in crate::rule) fn add_exempt(&mut self, name: &str, id: Option<&str>, reason: NotApplicable) {
        let id = id.map(str::to_owned);
        self.exempt.insert(name_key(name), ExemptRole { name: name.to_owned(), id, reason });
    }

    /// Adds the role of an answer, if a parameter exempts it.
    pub(in crate::rule) fn add_if_exempt(&mut self, answer: &Answer) {
        if let (Basis::NoVerdict(reason), Some(name)) = (&answer.basis, &answer.role_name)
            && reason.exemption().is_some()
        {
            self.add_exempt(name, Some(&answer.evaluation.resource.id), reason.clone());
        }
    }

    /// The exempt roles, each with its reason and the last day: those whose exemption ends soonest first, at most
    /// `NAMED_ROLES`, and how many more there are. `None` without any.
    pub fn exempt_roles(&self) -> Option<String> {
        let mut roles: Vec<&ExemptRole> = self.exempt.values().collect();
        roles.sort_by_key(|role| {
            let last_day = role.reason.exemption().and_then(|(_, last_day)| last_day);
            (last_day.is_none(), last_day)
        });
        (!roles.is_empty()).then(|| list(&roles, NAMED_ROLES, " roles"))
    }

    /// How many evaluated roles have an action that was not decided within the budget.
    pub fn undecided(&self) -> usize {
        self.stored.undecided + self.roles().filter(|role| role.is_undecided()).count()
    }

    /// How many answers have this compliance.
    pub fn count(&self, compliance: Compliance) -> usize {
        let kept = self.answers.iter().map(|answer| answer.evaluation.compliance);
        kept.chain(self.stored.compliance.iter().copied()).filter(|one| *one == compliance).count()
    }

    /// How many roles got a verdict.
    pub fn evaluated(&self) -> usize {
        self.stored.evaluated + self.roles().count()
    }

    /// The ids of the resources that have an answer.
    pub(in crate::rule) fn answered(&self) -> impl Iterator<Item = &str> {
        let kept = self.answers.iter().map(|answer| answer.evaluation.resource.id.as_str());
        kept.chain(self.stored.ids.iter().map(String::as_str))
    }

    fn roles(&self) -> impl Iterator<Item = &EvaluatedRole> {
        self.answers.iter().filter_map(Answer::role)
    }
}

/// Answers that AWS Config has stored, as far as they are needed later.
#[derive(Debug, Clone, Default)]
pub struct StoredAnswers {
    /// The ids of their roles.
    pub(in crate::rule) ids: Vec<String>,
    compliance: Vec<Compliance>,
    evaluated: usize,
    undecided: usize,
    /// The findings of the evaluated roles, if the rule sends findings.
    pub(in crate::rule) findings: Vec<Finding>,
}

impl StoredAnswers {
    /// Adds an answer about a role. `finding` is that of the role if it has a verdict and the rule sends findings.
    pub(in crate::rule) fn add(&mut self, answer: Answer, finding: Option<Finding>) {
        self.evaluated += usize::from(answer.role().is_some());
        self.undecided += usize::from(answer.role().is_some_and(EvaluatedRole::is_undecided));
        self.compliance.push(answer.evaluation.compliance);
        self.ids.push(answer.evaluation.resource.id);
        self.findings.extend(finding);
    }
}

/// How many findings were sent to Security Hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingCounts {
    /// Findings of evaluated roles that it took.
    pub imported: usize,
    /// Findings that are out of date and that it archived.
    pub archived: usize,
    /// Findings of evaluated roles that it holds as they are, so they were not sent.
    pub unchanged: usize,
    /// Findings that it did not take.
    pub not_imported: usize,
    /// Roles without a verdict whose finding, if there is one, the next scheduled run archives.
    pub left_to_schedule: usize,
}

/// A role that a parameter exempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptRole {
    /// The role's name.
    pub name: String,
    /// Its unique id, if it was read.
    pub id: Option<String>,
    /// The exemption.
    pub reason: NotApplicable,
}

/// `shop-build-node (ExemptUntilTag, until 2026-12-31)`.
impl fmt::Display for ExemptRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parameter, last_day) = self.reason.exemption().unwrap_or_default();
        let until = last_day.map(|last_day| format!(", until {last_day}")).unwrap_or_default();
        write!(f, "{} ({parameter}{until})", self.name)
    }
}

/// One answer to AWS Config.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The evaluation as AWS Config gets it.
    pub evaluation: Evaluation,
    /// The role's name; `None` if the answer is about another resource, or only the role's id is known.
    pub role_name: Option<String>,
    pub(in crate::rule) basis: Basis,
}

/// The basis of an answer.
#[derive(Debug, Clone)]
pub(in crate::rule) enum Basis {
    /// A verdict on a role.
    Verdict(Box<EvaluatedRole>),
    /// There is no verdict.
    NoVerdict(NotApplicable),
}

/// A role with its verdict: the worst verdict on its sessions.
#[derive(Debug, Clone)]
pub struct EvaluatedRole {
    /// The role's ARN.
    pub arn: String,
    /// The sessions that the role's verdict is about.
    pub worst: SessionVerdict,
    /// The role's other sessions, the worst first. Most roles have none.
    pub others: Vec<SessionVerdict>,
    /// Its tag of the parameter `ExemptUntilTag`, which does not exempt it.
    pub no_exemption: Option<NoExemption>,
}

/// The verdict on the sessions of a role that have the same session policy, or none.
#[derive(Debug, Clone)]
pub struct SessionVerdict {
    /// The ARN of the Pod Identity association with the session policy; of several with the same policy, the first one.
    pub session_policy: Option<String>,
    /// The uses of the role that make these sessions: sorted, at least one.
    pub node_of: Vec<NodeFact>,
    /// The verdict, with its evidence.
    pub verdict: Verdict,
}

impl SessionVerdict {
    /// The verdict on the sessions that these uses of the role make. The role has their session policy.
    pub(in crate::rule) fn new(role: &Role, node_of: Vec<NodeFact>, verdict: Verdict) -> Self {
        let session_policy = role.session_policy.as_ref().map(|policy| policy.source.name().to_owned());
        Self { session_policy, node_of, verdict }
    }
}

impl EvaluatedRole {
    /// The role's verdict.
    pub fn verdict(&self) -> &Verdict {
        &self.worst.verdict
    }

    /// The sessions of the role, the worst first.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionVerdict> {
        std::iter::once(&self.worst).chain(&self.others)
    }

    /// Whether an action was not decided within the budget.
    fn is_undecided(&self) -> bool {
        self.sessions().any(|one| !one.verdict.undecided.is_empty())
    }

    /// The facts that make it a node role. Those that its verdict is about come first.
    pub fn node_of(&self) -> impl Iterator<Item = &NodeFact> {
        self.sessions().flat_map(|sessions| &sessions.node_of)
    }

    /// The role's verdict for the log. `sessions` has an entry for each distinct session policy, no policy included; a role
    /// without a session policy has no `sessions`.
    pub fn evidence(&self) -> impl Serialize {
        let has_policy = self.sessions().any(|sessions| sessions.session_policy.is_some());
        let sessions = self.sessions().filter(|_| has_policy).map(SessionEvidence::of).collect();
        let Verdict { compliance, excess, permitted, missing, undecided, remarks, .. } = self.verdict();
        let of_tag = self.no_exemption.iter().map(|tag| RoleRemark::Tag(tag.remark()));
        let remarks = of_tag.chain(remarks.iter().map(RoleRemark::Statement)).collect();
        Evidence { compliance: *compliance, excess, permitted, missing, undecided, remarks, sessions }
    }

    /// The texts of the remarks on the role.
    pub(in crate::rule) fn remarks(&self) -> impl Iterator<Item = String> {
        let of_tag = self.no_exemption.iter().map(ToString::to_string);
        of_tag.chain(self.verdict().remarks.iter().map(ToString::to_string))
    }
}

/// The fields of a [`Verdict`], with the remarks on the role's tags.
#[derive(Serialize)]
struct Evidence<'a> {
    compliance: Compliance,
    excess: &'a [Access],
    permitted: &'a [Access],
    missing: &'a [&'static str],
    undecided: &'a [String],
    remarks: Vec<RoleRemark<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sessions: Vec<SessionEvidence<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RoleRemark<'a> {
    Tag(TagRemark<'a>),
    Statement(&'a Remark),
}

/// A verdict without the permitted actions: a role can have many session policies, and a log event has at most 1 MB
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>).
#[derive(Serialize)]
struct SessionEvidence<'a> {
    session_policy: Option<&'a str>,
    node_of: Vec<String>,
    compliance: Compliance,
    excess: &'a [Access],
    missing: &'a [&'static str],
    undecided: &'a [String],
    remarks: &'a [Remark],
}

impl<'a> SessionEvidence<'a> {
    fn of(sessions: &'a SessionVerdict) -> Self {
        let SessionVerdict { session_policy, node_of, verdict } = sessions;
        Self {
            session_policy: session_policy.as_deref(),
            node_of: node_of.iter().map(ToString::to_string).collect(),
            compliance: verdict.compliance,
            excess: &verdict.excess,
            missing: &verdict.missing,
            undecided: &verdict.undecided,
            remarks: &verdict.remarks,
        }
    }
}

impl Answer {
    /// The verdict on a role: the worst of the verdicts on its sessions. `None` without any.
    pub(in crate::rule) fn verdict(
        role: &Role,
        mut sessions: Vec<SessionVerdict>,
        no_exemption: Option<NoExemption>,
        at: OffsetDateTime,
    ) -> Option<Self> {
        sessions.sort_by(|one, other| one.verdict.worst_first(&other.verdict));
        let mut sessions = sessions.into_iter();
        let role_id = role.id.clone();
        let role =
            EvaluatedRole { arn: role.arn.clone(), worst: sessions.next()?, others: sessions.collect(), no_exemption };
        let node_of: Vec<String> = role.node_of().map(ToString::to_string).collect();
        let resource = ResourceId { resource_type: ROLE.to_owned(), id: role_id };
        let annotation = Annotation {
            exemption_ended: role.no_exemption.as_ref().and_then(NoExemption::ended),
            ..Annotation::of_verdict(role.verdict(), role_name(&role.arn), &node_of)
        };
        Some(Self {
            evaluation: evaluation(resource, role.verdict().compliance, &annotation, at),
            role_name: Some(role_name(&role.arn).to_owned()),
            basis: Basis::Verdict(Box::new(role)),
        })
    }

    /// NOT_APPLICABLE for a resource. `role_name` is its name if it is a role and its name is known.
    pub(in crate::rule) fn not_applicable(
        resource: ResourceId,
        role_name: Option<&str>,
        reason: NotApplicable,
        at: OffsetDateTime,
    ) -> Self {
        let annotation = Annotation::not_applicable(role_name, reason.clone());
        Self {
            evaluation: evaluation(resource, Compliance::NotApplicable, &annotation, at),
            role_name: role_name.map(str::to_owned),
            basis: Basis::NoVerdict(reason),
        }
    }

    /// Whether further facts about node roles can change the answer: it is NOT_APPLICABLE, or the role is compliant and
    /// session policies limit all known uses of it.
    pub(in crate::rule) fn depends_on_other_facts(&self) -> bool {
        self.role().is_none_or(|role| {
            role.verdict().compliance == Compliance::Compliant
                && role.sessions().all(|sessions| sessions.session_policy.is_some())
        })
    }

    /// The role with its verdict; `None` if the answer is NOT_APPLICABLE.
    pub fn role(&self) -> Option<&EvaluatedRole> {
        match &self.basis {
            Basis::Verdict(role) => Some(role),
            Basis::NoVerdict(_) => None,
        }
    }
}

fn evaluation(resource: ResourceId, compliance: Compliance, annotation: &Annotation, at: OffsetDateTime) -> Evaluation {
    Evaluation { resource, compliance, annotation: Some(annotation.to_string()), ordering_timestamp: at }
}
