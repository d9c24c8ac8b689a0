//! The pattern algebra against an enumeration of all short strings: it finds a string where there is one, of the
//! domain, matched by all that have to match and by none that must not, and a shortest one.
//!
//! `LANGUAGE_QUESTIONS` (default 600) and `LANGUAGE_FIRST_SEED` (default 1) choose the size; a failure prints the
//! question and its seed.

use ecr_read_only::policy::budget::{Budget, OverBudget};
use ecr_read_only::policy::comparison::Texts;
use ecr_read_only::policy::glob::LetterCase;
use ecr_read_only::policy::language::{contains, shortest};

use crate::support::brute_force::{ANYTHING, DIGITS, DOMAINS, EVERYTHING, NAMES, Question, Small, one_matches, union};
use crate::support::generate::Rng;

/// Far more steps than any question here takes.
const PLENTY: u64 = 10_000_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Asks the question of every seed.
fn for_questions(mut property: impl FnMut(&Question, &[String]) -> Result<(), String>) {
    let strings: Vec<(&str, Vec<String>)> = DOMAINS.iter().map(|domain| (domain.name, domain.strings())).collect();
    let (first, count) = (setting("LANGUAGE_FIRST_SEED", 1), setting("LANGUAGE_QUESTIONS", 600));
    let mut failures = Vec::new();
    for seed in first..first + count {
        let question = Question::by_chance(&mut Rng::new(seed));
        let (_, strings) = strings.iter().find(|(name, _)| *name == question.domain.name).unwrap();
        failures.extend(property(&question, strings).err().map(|problem| format!("seed {seed}: {problem}")));
    }
    let shown = failures.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} failures:\n{shown}", failures.len());
}

/// A question in the notation of [`union`], and the text that has to come out.
struct Case {
    name: &'static str,
    domain: Small,
    inside: &'static [&'static [&'static str]],
    outside: &'static [&'static [&'static str]],
    letter_case: LetterCase,
    expect: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case {
        name: "nothing asked, the empty text is the shortest",
        domain: EVERYTHING,
        inside: &[],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some(""),
    },
    Case {
        name: "a union of no patterns matches nothing",
        domain: EVERYTHING,
        inside: &[&[]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "a union of no patterns shuts nothing out",
        domain: EVERYTHING,
        inside: &[&["b"]],
        outside: &[&[]],
        letter_case: LetterCase::Exact,
        expect: Some("b"),
    },
    Case {
        name: "the empty pattern matches the empty text alone",
        domain: EVERYTHING,
        inside: &[&["*"]],
        outside: &[&["", "?"], &["??*"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "two stars may share what they match",
        domain: EVERYTHING,
        inside: &[&["*ab"], &["ab*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("ab"),
    },
    Case {
        name: "a star may not share across an overlap that does not fit",
        domain: EVERYTHING,
        inside: &[&["*ab"], &["ba*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("bab"),
    },
    Case {
        name: "a difference of nested patterns is what lies between them",
        domain: EVERYTHING,
        inside: &[&["a*"]],
        outside: &[&["a"], &["a?"]],
        letter_case: LetterCase::Exact,
        expect: Some("aaa"),
    },
    Case {
        name: "a pattern without itself is empty",
        domain: EVERYTHING,
        inside: &[&["a*b?"]],
        outside: &[&["a*b?"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "several patterns together may shut out what none does alone",
        domain: EVERYTHING,
        inside: &[&["?"]],
        outside: &[&["a", "b"], &["A"], &[":"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "without regard to case a capital is matched too",
        domain: EVERYTHING,
        inside: &[&["a"]],
        outside: &[],
        letter_case: LetterCase::Ignored,
        expect: Some("A"),
    },
    Case {
        name: "without regard to case a capital is shut out too",
        domain: EVERYTHING,
        inside: &[&["A", "aA"]],
        outside: &[&["a?", "a"]],
        letter_case: LetterCase::Ignored,
        expect: None,
    },
    Case {
        name: "a wildcard in a part takes no colon",
        domain: EVERYTHING,
        inside: &[&["~"]],
        outside: &[&["~"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "what a star takes and a star in a part does not is a colon",
        domain: EVERYTHING,
        inside: &[&["*"]],
        outside: &[&["~"]],
        letter_case: LetterCase::Exact,
        expect: Some(":"),
    },
    Case {
        name: "one character in a part is not a colon",
        domain: EVERYTHING,
        inside: &[&["?"]],
        outside: &[&["."]],
        letter_case: LetterCase::Exact,
        expect: Some(":"),
    },
    Case {
        name: "parts are matched between their colons",
        domain: EVERYTHING,
        inside: &[&["~:~:~"]],
        outside: &[&["~::~", ":*"]],
        letter_case: LetterCase::Exact,
        expect: Some("a:a:"),
    },
    Case {
        name: "the domain's prefix belongs to the text",
        domain: NAMES,
        inside: &[&["r/*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("r/a"),
    },
    Case {
        name: "a pattern that the prefix contradicts matches nothing",
        domain: NAMES,
        inside: &[&["a*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "a pattern that the prefix fulfils shuts out everything",
        domain: NAMES,
        inside: &[],
        outside: &[&["?/*"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "strings of the domain do not end with a separator",
        domain: NAMES,
        inside: &[&["*/"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "strings of the domain end at its greatest length",
        domain: NAMES,
        inside: &[&["*/*/*/*/*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "a string of just the greatest length is found",
        domain: NAMES,
        inside: &[&["r/??????"]],
        outside: &[&["*b*", "*/?*/*"]],
        letter_case: LetterCase::Exact,
        expect: Some("r/aaaaaa"),
    },
    Case {
        name: "every string of a finite domain may be shut out by name",
        domain: DIGITS,
        inside: &[&["*"]],
        outside: &[&["0*", "1*"], &["20*", "21*"], &["220"], &["221"], &["222"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "the last string of a finite domain is found",
        domain: DIGITS,
        inside: &[&["*"]],
        outside: &[&["0*", "1*"], &["20*", "21*"], &["220"], &["222"]],
        letter_case: LetterCase::Exact,
        expect: Some("221"),
    },
];

#[test]
fn hand_written_questions_get_the_answer_that_a_reader_expects() {
    for case in CASES {
        let unions = |lists: &[&[&str]]| lists.iter().map(|list| union(list, case.letter_case)).collect::<Vec<Texts>>();
        let question = Question { domain: case.domain, inside: unions(case.inside), outside: unions(case.outside) };
        let answer = question.answer(PLENTY).unwrap();
        question.check(answer.as_deref(), &case.domain.strings()).unwrap_or_else(|problem| {
            panic!("{}: {problem}", case.name);
        });
        let (answer, expect) = (answer.map(|text| text.chars().count()), case.expect.map(|text| text.chars().count()));
        assert_eq!(answer, expect, "{}", case.name);
        if let Some(text) = case.expect {
            assert!(question.satisfied(text) && contains(&case.domain, text), "{}: the case is wrong", case.name);
        }
    }
}

#[test]
fn where_every_named_character_is_shut_out_one_that_nobody_mentions_is_found() {
    let outside =
        vec![union(&["*a*", "*A*", "*:*:*", "*é*", "*É*"], LetterCase::Exact), union(&[":"], LetterCase::Exact)];
    let question = Question { domain: ANYTHING, inside: vec![union(&["*"], LetterCase::Exact)], outside };
    let answer = question.answer(PLENTY).unwrap().unwrap();
    question.check(Some(&answer), &ANYTHING.strings()).unwrap();
    assert!(answer.chars().all(|c| c == ':' || !"aAéÉ".contains(c)), "`{answer}`");
}

#[test]
fn random_questions_get_the_answer_of_the_enumeration() {
    let (mut some, mut none) = (0, 0);
    for_questions(|question, strings| {
        let answer = question.answer(PLENTY).map_err(|OverBudget| format!("over the budget: {question:?}"))?;
        if answer.is_some() {
            some += 1
        } else {
            none += 1
        }
        question.check(answer.as_deref(), strings)
    });
    assert!(some > 50 && none > 50, "{some} questions with an answer and {none} without are no test");
}

#[test]
fn the_order_of_unions_and_of_their_patterns_does_not_change_the_answer() {
    for_questions(|question, _| {
        let reversed = |unions: &[Texts]| {
            let turned = |union: &Texts| Texts::new(union.globs().iter().rev().cloned().collect(), union.letter_case());
            unions.iter().rev().map(turned).collect::<Vec<_>>()
        };
        let turned = Question {
            domain: question.domain,
            inside: reversed(&question.inside),
            outside: reversed(&question.outside),
        };
        let (answer, again) = (question.answer(PLENTY), turned.answer(PLENTY));
        if answer == again { Ok(()) } else { Err(format!("{answer:?} and {again:?}: {question:?}")) }
    });
}

#[test]
fn a_small_budget_is_overdrawn_or_suffices_and_never_gives_another_answer() {
    let mut overdrawn = 0;
    for_questions(|question, _| {
        let answer = question.answer(PLENTY);
        let mut sufficed = false;
        for steps in [0, 1, 2, 3, 5, 8, 13, 21, 50, 100, 400, 2_000, 50_000] {
            match question.answer(steps) {
                Err(OverBudget) if sufficed => return Err(format!("{steps} steps no longer suffice: {question:?}")),
                Err(OverBudget) => overdrawn += 1,
                enough if enough == answer => sufficed = true,
                other => return Err(format!("{other:?} with {steps} steps, {answer:?} with plenty: {question:?}")),
            }
        }
        Ok(())
    });
    assert!(overdrawn > 100, "the budget was overdrawn {overdrawn} times only");
}

#[test]
fn a_budget_that_was_overdrawn_stays_spent() {
    let (inside, budget) = (union(&["*a*b*a*"], LetterCase::Exact), Budget::new(10));
    assert_eq!(shortest(&EVERYTHING, &[&inside], &[], &budget), Err(OverBudget));
    assert_eq!(budget.spend(1), Err(OverBudget));
}

#[test]
fn a_single_text_is_matched_as_the_definition_of_the_symbols_says() {
    for_questions(|question, strings| {
        for union in question.inside.iter().chain(&question.outside) {
            // Every seventh, which is a different set of strings for each length of the list.
            if let Some(text) = strings
                .iter()
                .step_by(7)
                .find(|text| union.matches(text, &Budget::new(PLENTY)) != one_matches(union, text))
            {
                return Err(format!("`{text}`: {question:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_domain_holds_the_strings_of_its_automaton_and_no_others() {
    for domain in DOMAINS {
        let strings = domain.strings();
        for text in &strings {
            assert!(contains(&domain, text), "`{text}` in {}", domain.name);
            let longer = format!("{text}{}", "a".repeat(domain.longest + 1));
            assert!(!contains(&domain, &longer), "`{longer}` in {}", domain.name);
        }
    }
    for text in ["", "r", "r/", "a", "r//a", "r/a/", "r/a//b", "R/a", "r/aaaaaaa"] {
        assert!(!contains(&NAMES, text), "`{text}` in names");
    }
}
