//! The search for strings, checked by brute force. Each byte is one choice in the generation of the question.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::brute_force::{DOMAINS, Question};
use support::generate::Rng;

#[path = "../../tests/support/mod.rs"]
mod support;

static STRINGS: LazyLock<Vec<(&str, Vec<String>)>> =
    LazyLock::new(|| DOMAINS.iter().map(|domain| (domain.name, domain.strings())).collect());

fuzz_target!(|bytes: &[u8]| {
    let question = Question::by_chance(&mut Rng::scripted(bytes));
    let (_, strings) = STRINGS.iter().find(|(name, _)| *name == question.domain.name).expect("a domain");
    let answer = question.answer(10_000_000).expect("more steps than a question needs");
    if let Err(problem) = question.check(answer.as_deref(), strings) {
        panic!("{problem}");
    }
});
