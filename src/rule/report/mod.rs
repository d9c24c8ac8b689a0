//! The report of an evaluation, and who gets it: AWS Config the evaluations, Security Hub the findings.

pub(in crate::rule) mod advice;
pub(in crate::rule) mod evaluations;
pub(in crate::rule) mod finding_text;
pub(in crate::rule) mod findings;
pub(in crate::rule) mod outcome;
pub(in crate::rule) mod problem;

use std::fmt;

use crate::rule::nodes::classify::NodeClassifier;
use crate::rule::ports::config::ResourceId;
use crate::rule::ports::error::PortError;
use crate::rule::report::outcome::{Answer, Outcome};
use crate::rule::report::problem::{Problem, UnreadableRole};

/// The report of an evaluation that answered.
#[derive(Debug, Clone)]
pub struct Report {
    /// The answers, and numbers about them.
    pub outcome: Outcome,
    /// What went wrong.
    pub problems: Vec<Problem>,
}

/// The result for one role.
#[derive(Debug)]
pub(in crate::rule) enum RoleResult {
    Answer(Box<Answer>),
    Unreadable(UnreadableRole),
}

impl Report {
    pub(in crate::rule) fn new(outcome: Outcome) -> Self {
        Self { outcome, problems: Vec::new() }
    }

    /// Takes over the numbers about the clusters that were listed, and the calls that failed.
    pub(in crate::rule) fn set_clusters(&mut self, classifier: &NodeClassifier<'_>) {
        self.outcome.set_clusters(classifier);
        self.add_unknown(classifier.clusters().unread.iter().cloned());
    }

    /// The items of a list that shows which roles are node roles. If it could not be read, none, and the report says so.
    pub(in crate::rule) fn or_unknown<T>(&mut self, list: Result<Vec<T>, PortError>) -> Vec<T> {
        list.unwrap_or_else(|error| {
            self.add_unknown([error]);
            Vec::new()
        })
    }

    /// Adds failures of calls that show which roles are node roles.
    pub(in crate::rule) fn add_unknown(&mut self, failed: impl IntoIterator<Item = PortError>) {
        let mut failed = failed.into_iter().peekable();
        let known = self.problems.iter_mut().find_map(|problem| match problem {
            Problem::NodeRolesUnknown(errors) => Some(errors),
            _ => None,
        });
        match known {
            Some(errors) => errors.extend(failed),
            None if failed.peek().is_some() => self.problems.push(Problem::NodeRolesUnknown(failed.collect())),
            None => {}
        }
    }

    /// Whether all calls succeeded that show which roles are node roles. If not, a role that nothing names can be a node role.
    pub(in crate::rule) fn knows_all_node_roles(&self) -> bool {
        !self.problems.iter().any(|problem| matches!(problem, Problem::NodeRolesUnknown(_)))
    }

    /// Adds the results of roles. If not all facts about node roles are known, an answer that the missing ones can change
    /// is left out.
    pub(in crate::rule) fn add(&mut self, results: impl IntoIterator<Item = RoleResult>) {
        let knows_all = self.knows_all_node_roles();
        for result in results {
            if let RoleResult::Answer(answer) = &result {
                self.outcome.add_if_exempt(answer);
            }
            match result {
                RoleResult::Answer(answer) if !knows_all && answer.depends_on_other_facts() => {}
                RoleResult::Answer(answer) => self.outcome.answers.push(*answer),
                RoleResult::Unreadable(role) => self.add_unreadable(role),
            }
        }
    }

    fn add_unreadable(&mut self, role: UnreadableRole) {
        let known = self.problems.iter_mut().find_map(|problem| match problem {
            Problem::RolesUnreadable(roles) => Some(roles),
            _ => None,
        });
        match known {
            Some(roles) => roles.push(role),
            None => self.problems.push(Problem::RolesUnreadable(vec![role])),
        }
    }

    /// The roles that got no verdict, because they could not be read or understood.
    pub fn unreadable(&self) -> impl Iterator<Item = &UnreadableRole> {
        self.problems.iter().flat_map(|problem| match problem {
            Problem::RolesUnreadable(roles) => roles.as_slice(),
            _ => &[],
        })
    }

    /// The resources whose evaluations AWS Config did not store.
    pub fn not_stored(&self) -> impl Iterator<Item = &ResourceId> {
        let failed = self.problems.iter().flat_map(|problem| match problem {
            Problem::EvaluationsNotStored(not_stored) => not_stored.resources(),
            _ => &[],
        });
        failed.chain(&self.outcome.left_to_schedule)
    }

    /// Whether AWS Config stored the answers.
    pub(in crate::rule) fn is_stored(&self) -> bool {
        !self.problems.iter().any(|problem| matches!(problem, Problem::EvaluationsNotStored(_)))
    }

    /// The failure of the invocation; `None` without problems. Lambda runs a failed invocation again.
    pub fn failure(&self) -> Option<Failure<'_>> {
        let mut problems: Vec<&Problem> = self.problems.iter().collect();
        problems.sort_by_key(|problem| problem.precedence());
        let (first, others) = problems.split_first()?;
        Some(Failure { first, others: others.to_vec() })
    }
}

/// The failure of an invocation, as Lambda gets it: the most severe problem is its type, and its text has all of them.
#[derive(Debug, Clone)]
pub struct Failure<'a> {
    first: &'a Problem,
    others: Vec<&'a Problem>,
}

impl Failure<'_> {
    /// Lambda's `errorType`, and a field of the log.
    pub fn error_type(&self) -> &'static str {
        self.first.error_type()
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.others.iter().try_for_each(|problem| write!(f, "; also {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::report::problem::{NotImported, NotStored};

    #[test]
    fn failure_is_named_by_its_most_severe_problem() {
        let cause = || PortError::new("iam:GetRole", "role `nodes`", "AccessDenied");
        let unreadable = || UnreadableRole { name: "nodes".to_owned(), id: None, cause: cause().into() };
        let by_severity = [
            Problem::EvaluationsNotStored(NotStored::Refused { resources: Vec::new(), total: 1, attempts: 4 }),
            Problem::FindingsNotImported(NotImported::Unknown { cause: cause() }),
            Problem::NodeRolesUnknown(vec![cause()]),
            Problem::ReportedRolesUnknown(cause()),
            Problem::RolesUnreadable(vec![unreadable()]),
        ];
        for (index, most_severe) in by_severity.iter().enumerate() {
            let problems: Vec<Problem> = by_severity.iter().skip(index).rev().cloned().collect();
            let texts: Vec<String> = by_severity.iter().skip(index).map(ToString::to_string).collect();
            let report = Report { outcome: Outcome::default(), problems };
            let failure = report.failure().unwrap();
            assert_eq!(failure.error_type(), most_severe.error_type());
            assert_eq!(failure.to_string(), texts.join("; also "));
        }
        assert!(Report { outcome: Outcome::default(), problems: Vec::new() }.failure().is_none());
    }
}
