//! The sessions of a node role: those without a session policy, and those of each session policy.
//!
//! The policy of a Pod Identity association limits the sessions that the association makes, and no others. So a role with
//! several uses is decided once for each of its session policies, and once without one if a use has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::{Policy, PolicySource};
use crate::policy::Document;
use crate::rule::nodes::facts::NodeFact;
use crate::rule::ports::eks::SessionPolicy;
use crate::rule::read::roles::RoleError;

/// Sessions of a role that have the same session policy, or none.
#[derive(Debug)]
pub(in crate::rule) struct Sessions {
    /// The session policy. Associations with the same document share it; it has the ARN of the first of them.
    pub(in crate::rule) policy: Option<Policy>,
    /// The uses of the role that make these sessions, in the order of the given facts; at least one.
    pub(in crate::rule) facts: Vec<NodeFact>,
}

/// Groups the uses of a role by session policy. The group without one comes first.
///
/// # Errors
/// A session policy is not a document that IAM accepts.
pub(in crate::rule) fn sessions(facts: Vec<NodeFact>) -> Result<Vec<Sessions>, RoleError> {
    let mut groups: BTreeMap<Option<String>, Vec<NodeFact>> = BTreeMap::new();
    for fact in facts {
        let document = fact.kind.session_policy().map(|policy| policy.document.clone());
        groups.entry(document).or_default().push(fact);
    }
    let parsed = groups.into_values().map(|facts| {
        let policy = facts.first().and_then(|fact| fact.kind.session_policy()).map(parse).transpose()?;
        Ok(Sessions { policy, facts })
    });
    parsed.collect()
}

fn parse(SessionPolicy { association_arn, document }: &SessionPolicy) -> Result<Policy, RoleError> {
    let document = Document::parse(document)
        .map_err(RoleError::document(format!("the session policy of the association `{association_arn}`")))?;
    Ok(Policy { source: PolicySource::Association(association_arn.clone()), document: Arc::new(document) })
}
