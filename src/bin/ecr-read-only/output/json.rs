//! The report for programs: one JSON object, one line for each role.

use std::io::{self, Write};

use crate::report::{ReportHead, RoleReport};

pub(super) fn start(head: &ReportHead<'_>, out: &mut impl Write) -> io::Result<()> {
    let head = serde_json::to_string(head)?;
    write!(out, "{},\"roles\":[", head.strip_suffix('}').unwrap_or(&head))
}

pub(super) fn role(report: &RoleReport<'_>, index: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
    Ok(serde_json::to_writer(out, report)?)
}

pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\n]}\n")
}
