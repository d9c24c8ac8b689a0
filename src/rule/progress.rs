//! Where an invocation is: the step, and how much of it is done. The error of an invocation that runs out of time has it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The step that an invocation is at. Make one for each invocation.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Step>);

/// One step of an invocation: `describing clusters (31 of 54 done)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    name: &'static str,
    done: usize,
    /// How many there are to do; `None` if that is not known, as for the pages of a list.
    total: Option<usize>,
}

impl Progress {
    /// A step begins. `total` is how many things it has to do; `None` if that is not known.
    pub(in crate::rule) fn begin(&self, name: &'static str, total: impl Into<Option<usize>>) {
        *self.current() = Step { name, done: 0, total: total.into() };
    }

    /// So many more things of the step are done.
    pub(in crate::rule) fn advance(&self, done: usize) {
        self.current().done += done;
    }

    /// The step that the invocation is at.
    pub fn step(&self) -> Step {
        self.current().clone()
    }

    fn current(&self) -> MutexGuard<'_, Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, done, total } = self;
        f.write_str(if name.is_empty() { "assuming a role" } else { name })?;
        match (total, done) {
            (Some(total), _) => write!(f, " ({done} of {total} done)"),
            (None, 0) => Ok(()),
            (None, _) => write!(f, " ({done} done)"),
        }
    }
}

/// An invocation, or its part that sends findings, that gave up before the Lambda timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfTime {
    /// How long before the Lambda timeout it gave up.
    pub margin: Duration,
    /// The step that it was at.
    pub step: Step,
    /// The operations that it was calling, as IAM policies spell them. None if it was not waiting for AWS.
    pub calls: Vec<&'static str>,
}

/// `2 s before the Lambda timeout, while describing clusters (31 of 54 done), waiting for eks:DescribeCluster`.
impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { margin, step, calls } = self;
        // Rounded down to milliseconds.
        write!(f, "{} s before the Lambda timeout, while {step}", margin.as_millis() as f64 / 1000.0)?;
        if calls.is_empty() { Ok(()) } else { write!(f, ", waiting for {}", calls.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_time_names_step_and_calls() {
        let (two, more) = (Duration::from_secs(2), Duration::from_micros(1_500_999));
        for (margin, name, total, done, calls, expected) in [
            (
                two,
                "",
                None,
                0,
                vec!["sts:AssumeRole"],
                "2 s before the Lambda timeout, while assuming a role, waiting for sts:AssumeRole",
            ),
            (
                more,
                "describing clusters",
                Some(54),
                31,
                vec!["eks:DescribeCluster"],
                "1.5 s before the Lambda timeout, while describing clusters (31 of 54 done), waiting for eks:DescribeCluster",
            ),
            (
                two,
                "reading pages of roles",
                None,
                3,
                vec![],
                "2 s before the Lambda timeout, while reading pages of roles (3 done)",
            ),
            (
                two,
                "reading roles",
                Some(40),
                0,
                vec!["iam:GetRole", "iam:ListRolePolicies"],
                "2 s before the Lambda timeout, while reading roles (0 of 40 done), waiting for iam:GetRole, \
                 iam:ListRolePolicies",
            ),
        ] {
            let progress = Progress::default();
            if !name.is_empty() {
                progress.begin("listing regions", 9);
                progress.advance(1);
                progress.begin(name, total);
            }
            (0..done).for_each(|_| progress.advance(1));
            let error = OutOfTime { margin, step: progress.step(), calls };
            assert_eq!(error.to_string(), expected);
        }
    }
}
