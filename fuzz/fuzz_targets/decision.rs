//! The decisions on a random role, checked by the naive evaluator. Each byte is one choice in the generation of the role.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::generate::Rng;
use support::generate::account::{account_of_one, role_docs, role_names};
use support::naive::catalogue::CatalogueAction;
use support::oracle::{Tally, actions};

#[path = "../../tests/support/mod.rs"]
mod support;

static ACTIONS: LazyLock<Vec<CatalogueAction>> = LazyLock::new(actions);

fuzz_target!(|bytes: &[u8]| {
    let details = account_of_one(&mut Rng::scripted(bytes));
    let [name] = role_names(&details).try_into().expect("one role");
    let docs = role_docs(&details, &name).expect("the role's documents");
    let mut tally = Tally::default();
    tally.judge(&docs, &ACTIONS, 2, &mut Rng::new(0));
    if let Some(problem) = tally.disagreements.first() {
        panic!("{problem}\n{details}");
    }
});
