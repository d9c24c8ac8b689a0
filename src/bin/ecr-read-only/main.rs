//! `ecr-read-only`: the function's verdicts on a laptop or in a pipeline, without AWS credentials and without network.

mod check;
mod input;
mod options;
mod output;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use ecr_read_only::access::catalogue::{CATALOGUE_DATE, OPERATIONS_DATE, OPERATIONS_SOURCE};

use crate::check::CheckError;
use crate::options::Options;
use crate::report::ExitStatus;

/// Finds IAM roles that can do more to Amazon ECR than read, and shows the request that proves it.
#[derive(Parser)]
#[command(name = "ecr-read-only", version, long_version = LONG_VERSION.as_str(), after_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the roles of an account, from the output of `aws iam get-account-authorization-details`
    #[command(after_help = HELP)]
    Check(Options),
}

/// What `--version` prints: the version, and on a second line the dates of the data in this program.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{version}\nECR actions of {CATALOGUE_DATE}; API operations of {OPERATIONS_DATE} ({OPERATIONS_SOURCE}); built-in AWS managed policies: none"
    )
});

const HELP: &str = "\
Example:
  aws iam get-account-authorization-details > account.json
  ecr-read-only check --account-details account.json

Without --role and --all-roles it checks the roles that the file shows to be EKS node roles: by a tag of a cluster on the
role or its instance profile, by a policy for nodes that AWS manages, or by a trust policy for Fargate. The others are
NOT_APPLICABLE.

Exit status:
  0  no findings
  1  findings: a role is NON_COMPLIANT
  2  errors: a role could not be checked, no role was judged, or there is no report; errors take precedence over findings";

fn main() -> ExitCode {
    let Command::Check(options) = Arguments::parse().command;
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = check::run(&options, &mut out).and_then(|status| {
        out.flush()?;
        Ok(status)
    });
    let status = result.unwrap_or_else(|error| {
        // A closed pipe needs no message: its reader, such as `head`, has read enough.
        let closed = matches!(&error, CheckError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe);
        if !closed {
            let _unwritable = writeln!(io::stderr(), "ecr-read-only: {error}");
        }
        ExitStatus::Errors
    });
    status.into()
}
