//! The input files, one module each.

pub(crate) mod account_details;
