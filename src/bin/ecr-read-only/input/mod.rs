//! The input file.

pub(crate) mod account_details;
mod accounts;
mod managed_policies;
mod not_pages;
mod pages;
mod role_detail;
pub(crate) mod text;
