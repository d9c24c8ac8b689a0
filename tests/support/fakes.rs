//! In-memory fakes of the AWS APIs. They record every call.
//!
//! They answer from a [`State`]. [`FakeAws::before`] changes the state just before a call: so things disappear after they
//! were listed. [`FakeAws::failing`] makes a call fail every time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::{
    Authentication, ClusterRecord, ComplianceStore, Eks, Evaluation, FindingStore, HeldFinding, Iam, InlinePolicy,
    InstanceProfile, ListedRole, Page, PartKind, PolicyDetails, PolicyVersion, PortError, PortErrorKind, Reported,
    ResourceId, RoleDetails, RoleRecord, RoleUse,
};
use ecr_read_only::rule::{ClusterId, FailedFinding, Finding, FindingSource, NodeKind, ResultToken};
use time::OffsetDateTime;

use super::events::{ACCOUNT, EC2_TRUST};

pub const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
const PULL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}]}"#;
pub const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;

/// The calls by which an account with one cluster is found to have one node group and nothing else.
pub const DISCOVERY: [&str; 7] = [
    "ListRegions",
    "ListClusters us-east-1",
    "DescribeCluster us-east-1/prod",
    "ListNodegroups us-east-1/prod",
    "ListFargateProfiles us-east-1/prod",
    "ListAccessEntries us-east-1/prod",
    "DescribeNodegroup us-east-1/prod nodes",
];

#[derive(Clone)]
pub struct FakeRole {
    pub record: RoleRecord,
    pub inline: BTreeMap<String, String>,
    pub attached: Vec<String>,
    pub instance_profiles: Vec<String>,
}

pub struct FakeCluster {
    pub record: ClusterRecord,
    pub parts: BTreeMap<PartKind, BTreeMap<String, Vec<RoleUse>>>,
}

#[derive(Default)]
pub struct State {
    pub roles: BTreeMap<String, FakeRole>,
    /// The tags of instance profiles.
    pub instance_profiles: BTreeMap<String, Vec<Tag>>,
    /// Managed policies: the default version's id, and the documents of the versions.
    pub policies: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// A part of the ids of policies. Another number is another set of policies with the same ARNs.
    pub generation: usize,
    pub regions: Vec<String>,
    /// The regions that refuse EKS calls, and the kind of error.
    pub refusing: BTreeMap<String, PortErrorKind>,
    pub clusters: BTreeMap<ClusterId, FakeCluster>,
    pub reported: Vec<ResourceId>,
    /// The last annotations of reported resources, by their ids.
    pub annotations: BTreeMap<String, String>,
    /// When AWS Config stored the verdicts of reported resources, by their ids. By default long ago.
    pub recorded: BTreeMap<String, OffsetDateTime>,
    /// The findings in Security Hub, with their source.
    pub findings: Vec<(FindingSource, Finding)>,
    /// The ids of roles whose findings have other values in fields that [`Finding`] does not have.
    pub changed_by_others: BTreeSet<String>,
    /// Whether the caller of each GetFindings gives up early.
    pub gave_up_early: Vec<bool>,
    /// How many more times the finding of a role is refused, by the role's id.
    pub failed_findings: BTreeMap<String, usize>,
    /// The code and message of refused findings.
    pub failure: (String, String),
    /// How many more times the evaluation of a resource is refused, by the resource's id.
    pub refusals: BTreeMap<String, usize>,
    /// How many roles or policies are on a page of details.
    pub page: usize,
}

impl State {
    /// The cluster of that name in the region. A new one authenticates nodes by access entries alone.
    pub fn cluster(&mut self, region: &str, name: &str) -> &mut FakeCluster {
        let id = ClusterId { region: region.to_owned(), name: name.to_owned() };
        self.clusters.entry(id).or_insert_with(|| FakeCluster {
            record: ClusterRecord {
                auto_mode_role: None,
                authentication: Authentication::AccessEntries,
                oidc_issuer: None,
            },
            parts: BTreeMap::new(),
        })
    }
}

impl FakeCluster {
    /// Adds a part that names a role.
    pub fn part(&mut self, kind: PartKind, name: &str, role_arn: &str, node_kind: NodeKind) -> &mut Self {
        let parts = self.parts.entry(kind).or_default();
        parts.entry(name.to_owned()).or_default().push(RoleUse { role_arn: role_arn.to_owned(), kind: node_kind });
        self
    }
}

type Change = Box<dyn FnOnce(&mut State) + Send>;

pub struct FakeAws {
    state: Mutex<State>,
    failing: Mutex<BTreeMap<String, PortErrorKind>>,
    failing_at: Mutex<BTreeMap<(String, usize), PortErrorKind>>,
    before: Mutex<Vec<(String, Change)>>,
    calls: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// The batches of evaluations that were sent, with their test mode.
    pub batches: Mutex<Vec<(bool, Vec<Evaluation>)>>,
}

impl FakeAws {
    /// One region and AWS's pull-only policy.
    pub fn new() -> Self {
        let mut state = State { page: 100, regions: vec!["us-east-1".to_owned()], ..State::default() };
        state.failure = ("InternalError".to_owned(), "try again".to_owned());
        state.policies.insert(PULL_ONLY.to_owned(), version("v1", PULL));
        Self {
            state: Mutex::new(state),
            failing: Mutex::default(),
            failing_at: Mutex::default(),
            before: Mutex::default(),
            calls: Mutex::default(),
            at_once: AtomicUsize::default(),
            most_at_once: AtomicUsize::default(),
            batches: Mutex::default(),
        }
    }

    /// Adds a role that can pull.
    pub fn role(self, name: &str, id: &str) -> Self {
        let role = FakeRole {
            record: RoleRecord {
                name: name.to_owned(),
                arn: role_arn(name),
                id: id.to_owned(),
                trust_policy: EC2_TRUST.to_owned(),
                tags: Vec::new(),
                permissions_boundary: None,
            },
            inline: BTreeMap::new(),
            attached: vec![PULL_ONLY.to_owned()],
            instance_profiles: Vec::new(),
        };
        self.with(|state| {
            state.roles.insert(name.to_owned(), role);
        })
    }

    /// Adds a node group of the same name as its role.
    pub fn node(self, name: &str) -> Self {
        let kind = NodeKind::NodeGroup(name.to_owned());
        self.with(|state| {
            state.cluster("us-east-1", "prod").part(PartKind::NodeGroups, name, &role_arn(name), kind);
        })
    }

    /// Lets a role do everything to Amazon ECR, by its inline policy `own`.
    pub fn writing(self, role: &str) -> Self {
        self.inline(role, EVERYTHING)
    }

    /// Gives a role the inline policy `own`.
    pub fn inline(self, role: &str, document: &str) -> Self {
        self.with_role(role, |role| {
            role.inline.insert("own".to_owned(), document.to_owned());
        })
    }

    /// Changes the state.
    pub fn with(self, change: impl FnOnce(&mut State)) -> Self {
        self.change(change);
        self
    }

    /// Changes the state of fakes that are in use.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Changes the role of that name.
    pub fn with_role(self, name: &str, change: impl FnOnce(&mut FakeRole)) -> Self {
        self.with(|state| change(state.roles.get_mut(name).unwrap()))
    }

    /// Changes the state just before that call. With several changes, each call takes one, in their order.
    pub fn before(self, call: &str, change: impl FnOnce(&mut State) + Send + 'static) -> Self {
        self.before.lock().unwrap().push((call.to_owned(), Box::new(change)));
        self
    }

    /// Makes that call fail every time.
    pub fn failing(self, call: &str) -> Self {
        self.failing_as(call, PortErrorKind::Failed)
    }

    /// Makes that call fail every time with an error of this kind.
    pub fn failing_as(self, call: &str, kind: PortErrorKind) -> Self {
        self.failing.lock().unwrap().insert(call.to_owned(), kind);
        self
    }

    /// Makes that call fail once: the nth time, counted from 1.
    pub fn failing_at(self, call: &str, nth: usize, kind: PortErrorKind) -> Self {
        self.failing_at.lock().unwrap().insert((call.to_owned(), nth), kind);
        self
    }

    /// Lets all calls succeed again.
    pub fn repair(&self) {
        self.failing.lock().unwrap().clear();
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls so far; the record starts again.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// How many calls so far start with this text.
    pub fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|one| one.starts_with(call)).count()
    }

    /// Resource id and compliance of all evaluations that were sent, in order.
    pub fn sent(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        let one = |one: &Evaluation| format!("{} {:?}", one.resource.id, one.compliance);
        batches.iter().flat_map(|(_, batch)| batch.iter().map(one)).collect()
    }

    /// Resource id, compliance and annotation of all evaluations that were sent, in order.
    pub fn annotated(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        let one = |one: &Evaluation| {
            format!("{} {:?}: {}", one.resource.id, one.compliance, one.annotation.as_deref().unwrap_or_default())
        };
        batches.iter().flat_map(|(_, batch)| batch.iter().map(one)).collect()
    }

    /// The findings in Security Hub: `AROANODES archived Compliant Informational after 1h`. The time is from their creation
    /// to their last update.
    pub fn findings(&self) -> Vec<String> {
        let one = |(_, finding): &(FindingSource, Finding)| {
            let archived = if finding.archived { " archived" } else { "" };
            let since = if finding.created_at == finding.updated_at {
                String::new()
            } else {
                format!(" after {}", finding.updated_at - finding.created_at)
            };
            format!("{}{archived} {:?} {:?}{since}", finding.role_id(), finding.compliance, finding.severity)
        };
        self.state.lock().unwrap().findings.iter().map(one).collect()
    }

    /// The source of the first finding in Security Hub.
    pub fn source(&self) -> FindingSource {
        self.state.lock().unwrap().findings.first().unwrap().0.clone()
    }

    /// The finding of a role in Security Hub.
    #[track_caller]
    pub fn finding(&self, role_id: &str) -> Finding {
        let state = self.state.lock().unwrap();
        let (_, finding) = state.findings.iter().find(|(_, finding)| finding.role_id() == role_id).unwrap();
        finding.clone()
    }

    /// The most calls that ran at the same time.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::Relaxed)
    }

    /// Lets other calls run before the answer, so that [`FakeAws::most_at_once`] sees concurrent calls.
    async fn answer_later<T>(&self, answer: T) -> T {
        let now = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(now, Ordering::Relaxed);
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    fn call(&self, operation: &'static str, of: &str) -> Result<std::sync::MutexGuard<'_, State>, PortError> {
        let call = if of.is_empty() { operation.to_owned() } else { format!("{operation} {of}") };
        self.calls.lock().unwrap().push(call.clone());
        let mut before = self.before.lock().unwrap();
        let due = before.iter().position(|(at, _)| *at == call).map(|index| before.remove(index));
        let mut state = self.state.lock().unwrap();
        if let Some((_, change)) = due {
            change(&mut state);
        }
        let nth = self.calls.lock().unwrap().iter().filter(|one| **one == call).count();
        let once = self.failing_at.lock().unwrap().remove(&(call.clone(), nth));
        if let Some(kind) = once.or_else(|| self.failing.lock().unwrap().get(&call).copied()) {
            return Err(PortError::new(operation, format!("`{of}`"), "AccessDenied: not authorized").of_kind(kind));
        }
        Ok(state)
    }
}

/// The account of most tests: the role `nodes` (`AROANODES`), which can pull, is that of a node group.
pub fn account() -> FakeAws {
    FakeAws::new().role("nodes", "AROANODES").node("nodes")
}

/// Node roles `nodes-0000` (`AROA0000`) and so on, each with its node group.
pub fn many(count: usize) -> FakeAws {
    (0..count).fold(FakeAws::new(), |aws, index| {
        let name = format!("nodes-{index:04}");
        aws.role(&name, &format!("AROA{index:04}")).node(&name)
    })
}

/// The ARN of a role of the account.
pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The role as lists return it.
fn listed(role: &FakeRole) -> ListedRole {
    ListedRole {
        name: role.record.name.clone(),
        arn: role.record.arn.clone(),
        trust_policy: Some(role.record.trust_policy.clone()),
    }
}

/// A page of items. The marker is the index of its first item.
fn page<T>(items: Vec<T>, marker: Option<&str>, size: usize) -> Page<T> {
    let first = marker.map_or(0, |marker| marker.parse().unwrap());
    let next = (first + size < items.len()).then(|| (first + size).to_string());
    Page { items: items.into_iter().skip(first).take(size).collect(), next }
}

pub fn version(id: &str, document: &str) -> (String, BTreeMap<String, String>) {
    (id.to_owned(), BTreeMap::from([(id.to_owned(), document.to_owned())]))
}

pub fn role_resource(id: &str) -> ResourceId {
    ResourceId { resource_type: "AWS::IAM::Role".to_owned(), id: id.to_owned() }
}

impl Iam for FakeAws {
    async fn role(&self, name: &str) -> Result<Option<RoleRecord>, PortError> {
        self.answer_later(self.call("GetRole", name).map(|state| state.roles.get(name).map(|role| role.record.clone())))
            .await
    }

    async fn inline_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let names = |role: &FakeRole| role.inline.keys().cloned().collect();
        self.answer_later(self.call("ListRolePolicies", role).map(|state| state.roles.get(role).map(names))).await
    }

    async fn inline_policy(&self, role: &str, policy: &str) -> Result<Option<String>, PortError> {
        let document = |state: &State| state.roles.get(role)?.inline.get(policy).cloned();
        self.answer_later(self.call("GetRolePolicy", &format!("{role} {policy}")).map(|state| document(&state))).await
    }

    async fn attached_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let arns = |role: &FakeRole| role.attached.clone();
        self.answer_later(self.call("ListAttachedRolePolicies", role).map(|state| state.roles.get(role).map(arns)))
            .await
    }

    async fn instance_profiles(&self, role: &str) -> Result<Option<Vec<InstanceProfile>>, PortError> {
        let without_tags = |name: &String| InstanceProfile { name: name.clone(), tags: None };
        let profiles = |role: &FakeRole| role.instance_profiles.iter().map(without_tags).collect();
        self.answer_later(
            self.call("ListInstanceProfilesForRole", role).map(|state| state.roles.get(role).map(profiles)),
        )
        .await
    }

    async fn instance_profile_tags(&self, profile: &str) -> Result<Option<Vec<Tag>>, PortError> {
        let tags = |state: &State| state.instance_profiles.get(profile).cloned();
        self.answer_later(self.call("GetInstanceProfile", profile).map(|state| tags(&state))).await
    }

    async fn default_version(&self, arn: &str) -> Result<Option<PolicyVersion>, PortError> {
        let version = |state: &State| state.policies.get(arn).map(|policy| of_policy(state, arn, &policy.0));
        self.answer_later(self.call("GetPolicy", arn).map(|state| version(&state))).await
    }

    async fn policy_version(&self, arn: &str, version: &str) -> Result<Option<String>, PortError> {
        let document = |state: &State| state.policies.get(arn)?.1.get(version).cloned();
        self.answer_later(self.call("GetPolicyVersion", &format!("{arn} {version}")).map(|state| document(&state)))
            .await
    }

    async fn attached_roles(&self, arn: &str) -> Result<Vec<String>, PortError> {
        let uses = |role: &FakeRole| {
            role.attached.iter().chain(&role.record.permissions_boundary).any(|attached| attached == arn)
        };
        let names =
            |state: &State| state.roles.iter().filter(|(_, role)| uses(role)).map(|(name, _)| name.clone()).collect();
        self.answer_later(self.call("ListEntitiesForPolicy", arn).map(|state| names(&state))).await
    }

    async fn roles(&self) -> Result<Vec<ListedRole>, PortError> {
        self.answer_later(self.call("ListRoles", "").map(|state| state.roles.values().map(listed).collect())).await
    }

    async fn roles_in_instance_profiles(&self) -> Result<Vec<(InstanceProfile, ListedRole)>, PortError> {
        let without_tags = |name: &String| InstanceProfile { name: name.clone(), tags: None };
        let held = |role: &FakeRole| {
            role.instance_profiles.iter().map(|name| (without_tags(name), listed(role))).collect::<Vec<_>>()
        };
        let roles = |state: &State| state.roles.values().flat_map(held).collect();
        self.answer_later(self.call("ListInstanceProfiles", "").map(|state| roles(&state))).await
    }

    async fn role_details(&self, marker: Option<&str>) -> Result<Page<RoleDetails>, PortError> {
        let details = |role: &FakeRole| RoleDetails {
            record: role.record.clone(),
            inline: (role.inline.clone().into_iter()).map(|(name, document)| InlinePolicy { name, document }).collect(),
            attached: role.attached.clone(),
            instance_profiles: (role.instance_profiles.iter())
                .map(|name| InstanceProfile { name: name.clone(), tags: None })
                .collect(),
        };
        let of = format!("roles {}", marker.unwrap_or("0"));
        let state = self.call("GetAccountAuthorizationDetails", &of);
        self.answer_later(state.map(|state| page(state.roles.values().map(details).collect(), marker, state.page)))
            .await
    }

    async fn policy_details(&self, marker: Option<&str>) -> Result<Page<PolicyDetails>, PortError> {
        let details = |state: &State| {
            let with_document = |(arn, (id, versions)): (&String, &(String, BTreeMap<String, String>))| {
                let document = versions.get(id)?.clone();
                Some(PolicyDetails { version: of_policy(state, arn, id), document })
            };
            state
                .policies
                .iter()
                .filter(|(arn, _)| !arn.contains(":aws:policy"))
                .filter_map(with_document)
                .collect::<Vec<_>>()
        };
        let of = format!("policies {}", marker.unwrap_or("0"));
        let state = self.call("GetAccountAuthorizationDetails", &of);
        self.answer_later(state.map(|state| page(details(&state), marker, state.page))).await
    }
}

fn of_policy(state: &State, arn: &str, version: &str) -> PolicyVersion {
    let policy_id = format!("ANPA{}{arn}", state.generation);
    PolicyVersion { arn: arn.to_owned(), policy_id, version: version.to_owned() }
}

/// The operations that list and describe parts of a cluster.
fn operations(kind: PartKind) -> (&'static str, &'static str) {
    match kind {
        PartKind::NodeGroups => ("ListNodegroups", "DescribeNodegroup"),
        PartKind::FargateProfiles => ("ListFargateProfiles", "DescribeFargateProfile"),
        PartKind::AccessEntries => ("ListAccessEntries", "DescribeAccessEntry"),
        PartKind::PodIdentityAssociations => ("ListPodIdentityAssociations", "DescribePodIdentityAssociation"),
        PartKind::Addons => ("ListAddons", "DescribeAddon"),
    }
}

fn path(cluster: &ClusterId) -> String {
    format!("{}/{}", cluster.region, cluster.name)
}

impl Eks for FakeAws {
    async fn regions(&self) -> Result<Vec<String>, PortError> {
        self.answer_later(self.call("ListRegions", "").map(|state| state.regions.clone())).await
    }

    async fn clusters(&self, region: &str) -> Result<Vec<String>, PortError> {
        let answer = self.call("ListClusters", region).and_then(|state| match state.refusing.get(region) {
            Some(kind) => Err(PortError::new("eks:ListClusters", region, "refused").of_kind(*kind)),
            None => {
                let here = state.clusters.keys().filter(|cluster| cluster.region == region);
                Ok(here.map(|cluster| cluster.name.clone()).collect())
            }
        });
        self.answer_later(answer).await
    }

    async fn cluster(&self, cluster: &ClusterId) -> Result<Option<ClusterRecord>, PortError> {
        let record = |state: &State| state.clusters.get(cluster).map(|cluster| cluster.record.clone());
        self.answer_later(self.call("DescribeCluster", &path(cluster)).map(|state| record(&state))).await
    }

    async fn parts(&self, cluster: &ClusterId, kind: PartKind) -> Result<Vec<String>, PortError> {
        let parts = |state: &State| {
            let parts = state.clusters.get(cluster).and_then(|cluster| cluster.parts.get(&kind));
            parts.map(|parts| parts.keys().cloned().collect()).unwrap_or_default()
        };
        self.answer_later(self.call(operations(kind).0, &path(cluster)).map(|state| parts(&state))).await
    }

    async fn roles_of_part(&self, cluster: &ClusterId, kind: PartKind, part: &str) -> Result<Vec<RoleUse>, PortError> {
        let roles = |state: &State| state.clusters.get(cluster)?.parts.get(&kind)?.get(part).cloned();
        let of = format!("{} {part}", path(cluster));
        self.answer_later(self.call(operations(kind).1, &of).map(|state| roles(&state).unwrap_or_default())).await
    }
}

impl ComplianceStore for FakeAws {
    async fn put_evaluations(
        &self,
        _token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> Result<Vec<ResourceId>, PortError> {
        let mut refused = Vec::new();
        {
            let mut state = self.call("PutEvaluations", "")?;
            for evaluation in evaluations {
                if let Some(left) = state.refusals.get_mut(&evaluation.resource.id).filter(|left| **left > 0) {
                    *left -= 1;
                    refused.push(evaluation.resource.clone());
                }
            }
            self.batches.lock().unwrap().push((test_mode, evaluations.to_vec()));
        }
        self.answer_later(Ok(refused)).await
    }

    async fn reported(&self, rule_name: &str) -> Result<Vec<Reported>, PortError> {
        let reported = |state: &State| {
            let with_annotation = |resource: &ResourceId| Reported {
                annotation: state.annotations.get(&resource.id).cloned(),
                recorded_at: state.recorded.get(&resource.id).copied().unwrap_or(OffsetDateTime::UNIX_EPOCH),
                resource: resource.clone(),
            };
            state.reported.iter().map(with_annotation).collect()
        };
        self.answer_later(self.call("GetComplianceDetailsByConfigRule", rule_name).map(|state| reported(&state))).await
    }
}

impl FindingStore for FakeAws {
    async fn active_findings(
        &self,
        source: &FindingSource,
        ids: Option<&[String]>,
        marker: Option<&str>,
        give_up_early: bool,
    ) -> Result<Page<HeldFinding>, PortError> {
        let of = ids.map_or_else(|| source.rule_name.clone(), |ids| ids.join(" "));
        let of = marker.map_or(of.clone(), |marker| format!("{of} from {marker}"));
        let asked = |(of, finding): &&(FindingSource, Finding)| {
            of == source && !finding.archived && ids.is_none_or(|ids| ids.contains(&finding.id))
        };
        let held = |state: &State| {
            let held = |(_, finding): &(FindingSource, Finding)| HeldFinding {
                finding: finding.clone(),
                is_as_sent: !state.changed_by_others.contains(finding.role_id()),
            };
            page(state.findings.iter().filter(asked).map(held).collect(), marker, state.page)
        };
        let page = self.call("GetFindings", &of).map(|mut state| {
            state.gave_up_early.push(give_up_early);
            held(&state)
        });
        self.answer_later(page).await
    }

    /// Ignores an update that is not newer than the finding, and reports no failure. Security Hub does the same.
    async fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> Result<Vec<FailedFinding>, PortError> {
        let mut refused = Vec::new();
        {
            let mut state = self.call("BatchImportFindings", &findings.len().to_string())?;
            for finding in findings {
                if let Some(left) = state.failed_findings.get_mut(finding.role_id()).filter(|left| **left > 0) {
                    *left -= 1;
                    let (code, message) = state.failure.clone();
                    refused.push(FailedFinding { id: finding.id.clone(), code, message });
                    continue;
                }
                match state.findings.iter_mut().find(|(of, known)| of == source && known.id == finding.id) {
                    Some((_, known)) if known.updated_at < finding.updated_at => *known = finding.clone(),
                    Some(_) => {}
                    None => state.findings.push((source.clone(), finding.clone())),
                }
            }
        }
        self.answer_later(Ok(refused)).await
    }
}
