//! `ecr-read-only`: the function's verdicts on a laptop or in a pipeline, without AWS credentials and without
//! network.
//!
//! Knows files, the clock and the terminal. The verdicts are the library's.

mod check;
mod input;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows which IAM roles can do more to Amazon ECR than read, with the request that proves it.
#[derive(Parser)]
#[command(name = "ecr-read-only", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Judges the roles of an account from what `aws iam get-account-authorization-details` prints.
    #[command(after_help = EXIT_CODES)]
    Check(check::Options),
}

const EXIT_CODES: &str = "\
Exit status: 0 no findings, 1 findings (a role is NON_COMPLIANT), 2 errors (they outrank findings).";

fn main() -> ExitCode {
    let Command::Check(options) = Arguments::parse().command;
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let result = check::run(&options, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => ExitCode::from(exit),
        // Whoever reads the output has seen enough.
        Err(check::CheckError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
        Err(error) => {
            let _unwritable = writeln!(io::stderr(), "ecr-read-only: {error}");
            ExitCode::from(2)
        }
    }
}
