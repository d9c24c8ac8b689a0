//! The files that the command line reads.

pub(crate) mod account_details;
