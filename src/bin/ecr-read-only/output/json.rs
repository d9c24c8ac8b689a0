//! The report for programs: one JSON object, one line for each role.

use std::io::{self, Write};

use ecr_read_only::access::catalogue::CATALOGUE_DATE;

use crate::report::RoleReport;

pub(super) fn start(out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"catalogue_date\":\"{CATALOGUE_DATE}\",\"roles\":[")
}

pub(super) fn role(report: &RoleReport<'_>, index: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
    Ok(serde_json::to_writer(out, report)?)
}

pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\n]}\n")
}
