//! The output formats, one file each. A new format is a file here, a variant of [`Format`], and its arms.

mod json;
mod text;

use std::io::{self, Write};

use clap::ValueEnum;

use crate::report::{ReportHead, RoleReport};

/// The format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs; keys and values are stable
    Json,
}

impl Format {
    /// Writes what precedes the roles.
    pub(crate) fn start(self, head: &ReportHead<'_>, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text => Ok(()),
            Self::Json => json::start(head, out),
        }
    }

    /// Writes one role. `index` is its number in the file, from 0.
    pub(crate) fn role(self, report: &RoleReport<'_>, index: usize, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text => text::role(report, out),
            Self::Json => json::role(report, index, out),
        }
    }

    /// Writes what follows the roles.
    pub(crate) fn end(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text => Ok(()),
            Self::Json => json::end(out),
        }
    }
}
