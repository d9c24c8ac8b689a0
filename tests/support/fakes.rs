//! An AWS in memory that writes down what it is asked.
//!
//! What it answers is its state; [`FakeAws::before`] changes the state at the moment of a call, which is how
//! things go between being listed and being read, and [`FakeAws::failing`] makes a call fail for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use ecr_read_only::rule::ports::{
    ComplianceStore, Eks, Evaluation, Iam, PolicyUsage, PortError, ResourceId, RoleRecord,
};
use ecr_read_only::rule::{NodeFact, NodeKind, ResultToken};

use super::events::{ACCOUNT, EC2_TRUST};

pub const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
const PULL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}]}"#;
pub const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;

#[derive(Clone)]
pub struct FakeRole {
    pub record: RoleRecord,
    pub inline: BTreeMap<String, String>,
    pub attached: Vec<String>,
}

#[derive(Default)]
pub struct State {
    pub roles: BTreeMap<String, FakeRole>,
    /// Managed policies: the default version's id, and the documents of the versions.
    pub policies: BTreeMap<String, (String, BTreeMap<String, String>)>,
    pub facts: Vec<(String, NodeFact)>,
    pub reported: Vec<ResourceId>,
    /// How many times more the evaluation of a resource is refused.
    pub refusals: BTreeMap<String, usize>,
}

type Change = Box<dyn FnOnce(&mut State) + Send>;

pub struct FakeAws {
    state: Mutex<State>,
    failing: BTreeSet<String>,
    before: Mutex<Vec<(String, Change)>>,
    calls: Mutex<Vec<String>>,
    /// The batches that were sent, with their test mode.
    pub batches: Mutex<Vec<(bool, Vec<Evaluation>)>>,
}

impl FakeAws {
    /// AWS's pull-only policy, and nothing else.
    pub fn new() -> Self {
        let mut state = State::default();
        state.policies.insert(PULL_ONLY.to_owned(), version("v1", PULL));
        Self {
            state: Mutex::new(state),
            failing: BTreeSet::new(),
            before: Mutex::default(),
            calls: Mutex::default(),
            batches: Mutex::default(),
        }
    }

    /// A role that may pull.
    pub fn role(self, name: &str, id: &str) -> Self {
        let role = FakeRole {
            record: RoleRecord {
                name: name.to_owned(),
                arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
                id: id.to_owned(),
                trust_policy: EC2_TRUST.to_owned(),
                tags: Vec::new(),
                permissions_boundary: None,
            },
            inline: BTreeMap::new(),
            attached: vec![PULL_ONLY.to_owned()],
        };
        self.with(|state| {
            state.roles.insert(name.to_owned(), role);
        })
    }

    /// The role of that name is one of a node group.
    pub fn node(self, name: &str) -> Self {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        self.with(|state| state.facts.push((arn, fact("prod", NodeKind::NodeGroup("workers".to_owned())))))
    }

    /// The state, changed.
    pub fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state.lock().unwrap());
        self
    }

    /// The state, changed when that call comes: the first change at its first coming, and so on.
    pub fn before(self, call: &str, change: impl FnOnce(&mut State) + Send + 'static) -> Self {
        self.before.lock().unwrap().push((call.to_owned(), Box::new(change)));
        self
    }

    /// That call fails, whenever it comes.
    pub fn failing(mut self, call: &str) -> Self {
        self.failing.insert(call.to_owned());
        self
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// Resource and compliance of what was sent, in order, batches marked.
    pub fn sent(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        let one = |one: &Evaluation| format!("{} {:?}", one.resource.id, one.compliance);
        batches.iter().flat_map(|(_, batch)| batch.iter().map(one)).collect()
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
        if self.failing.contains(&call) {
            return Err(PortError::new(operation, format!("`{of}`"), "AccessDenied: not authorized"));
        }
        Ok(state)
    }
}

pub fn version(id: &str, document: &str) -> (String, BTreeMap<String, String>) {
    (id.to_owned(), BTreeMap::from([(id.to_owned(), document.to_owned())]))
}

pub fn fact(cluster: &str, kind: NodeKind) -> NodeFact {
    NodeFact { region: "us-east-1".to_owned(), cluster: cluster.to_owned(), kind }
}

pub fn role_resource(id: &str) -> ResourceId {
    ResourceId { resource_type: "AWS::IAM::Role".to_owned(), id: id.to_owned() }
}

/// Lets others run before an answer, so that calls which are made together are seen to be.
async fn later<T>(answer: T) -> T {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
    answer
}

impl Iam for FakeAws {
    async fn role(&self, name: &str) -> Result<Option<RoleRecord>, PortError> {
        later(self.call("GetRole", name).map(|state| state.roles.get(name).map(|role| role.record.clone()))).await
    }

    async fn inline_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let names = |role: &FakeRole| role.inline.keys().cloned().collect();
        later(self.call("ListRolePolicies", role).map(|state| state.roles.get(role).map(names))).await
    }

    async fn inline_policy(&self, role: &str, policy: &str) -> Result<Option<String>, PortError> {
        let document = |state: &State| state.roles.get(role)?.inline.get(policy).cloned();
        later(self.call("GetRolePolicy", &format!("{role} {policy}")).map(|state| document(&state))).await
    }

    async fn attached_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let arns = |role: &FakeRole| role.attached.clone();
        later(self.call("ListAttachedRolePolicies", role).map(|state| state.roles.get(role).map(arns))).await
    }

    async fn default_version(&self, arn: &str) -> Result<Option<String>, PortError> {
        later(self.call("GetPolicy", arn).map(|state| state.policies.get(arn).map(|policy| policy.0.clone()))).await
    }

    async fn policy_version(&self, arn: &str, version: &str) -> Result<Option<String>, PortError> {
        let document = |state: &State| state.policies.get(arn)?.1.get(version).cloned();
        later(self.call("GetPolicyVersion", &format!("{arn} {version}")).map(|state| document(&state))).await
    }

    async fn attached_roles(&self, arn: &str, usage: PolicyUsage) -> Result<Vec<String>, PortError> {
        let uses = |role: &FakeRole| match usage {
            PolicyUsage::Permissions => role.attached.iter().any(|attached| attached == arn),
            PolicyUsage::Boundary => role.record.permissions_boundary.as_deref() == Some(arn),
        };
        let names =
            |state: &State| state.roles.iter().filter(|(_, role)| uses(role)).map(|(name, _)| name.clone()).collect();
        later(self.call("ListEntitiesForPolicy", &format!("{usage:?}")).map(|state| names(&state))).await
    }
}

impl Eks for FakeAws {
    async fn node_facts(&self) -> Result<Vec<(String, NodeFact)>, PortError> {
        later(self.call("ListClusters", "").map(|state| state.facts.clone())).await
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
        later(Ok(refused)).await
    }

    async fn reported(&self, rule_name: &str) -> Result<Vec<ResourceId>, PortError> {
        later(self.call("GetComplianceDetailsByConfigRule", rule_name).map(|state| state.reported.clone())).await
    }
}
