//! The search for strings (`policy/language.rs`) against brute force: all short strings are tried. If one is an answer, the
//! search has to find an answer too, and a shortest one.
//!
//! `LANGUAGE_QUESTIONS` (default 600) is the number of random questions, `LANGUAGE_FIRST_SEED` (default 1) the first seed.
//! A failure prints the question and its seed.

use ecr_read_only::policy::budget::{Budget, OverBudget};
use ecr_read_only::policy::comparison::Texts;
use ecr_read_only::policy::glob::LetterCase;
use ecr_read_only::policy::language::{contains, shortest};

use crate::support::brute_force::{ANYTHING, DIGITS, DOMAINS, EVERYTHING, NAMES, Question, Small, one_matches, union};
use crate::support::generate::Rng;

/// More steps than any question here needs.
const PLENTY: u64 = 10_000_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Checks a property on the question of every seed.
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

/// A question in the notation of [`union`], and the expected text.
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
        name: "without patterns, the empty text is the shortest",
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
        name: "a union of no patterns excludes nothing",
        domain: EVERYTHING,
        inside: &[&["b"]],
        outside: &[&[]],
        letter_case: LetterCase::Exact,
        expect: Some("b"),
    },
    Case {
        name: "the empty pattern matches only the empty text",
        domain: EVERYTHING,
        inside: &[&["*"]],
        outside: &[&["", "?"], &["??*"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "two patterns with stars may match the same characters",
        domain: EVERYTHING,
        inside: &[&["*ab"], &["ab*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("ab"),
    },
    Case {
        name: "two patterns whose ends do not overlap need a longer text",
        domain: EVERYTHING,
        inside: &[&["*ab"], &["ba*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("bab"),
    },
    Case {
        name: "of a pattern without its shortest texts, a longer text is left",
        domain: EVERYTHING,
        inside: &[&["a*"]],
        outside: &[&["a"], &["a?"]],
        letter_case: LetterCase::Exact,
        expect: Some("aaa"),
    },
    Case {
        name: "a pattern without itself has no text",
        domain: EVERYTHING,
        inside: &[&["a*b?"]],
        outside: &[&["a*b?"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "several patterns together may exclude everything",
        domain: EVERYTHING,
        inside: &[&["?"]],
        outside: &[&["a", "b"], &["A"], &[":"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "if letter case is ignored, a capital matches too",
        domain: EVERYTHING,
        inside: &[&["a"]],
        outside: &[],
        letter_case: LetterCase::Ignored,
        expect: Some("A"),
    },
    Case {
        name: "if letter case is ignored, a capital is excluded too",
        domain: EVERYTHING,
        inside: &[&["A", "aA"]],
        outside: &[&["a?", "a"]],
        letter_case: LetterCase::Ignored,
        expect: None,
    },
    Case {
        name: "a star in a part does not match a colon",
        domain: EVERYTHING,
        inside: &[&["~"]],
        outside: &[&["~"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "only a colon matches a star and not a star in a part",
        domain: EVERYTHING,
        inside: &[&["*"]],
        outside: &[&["~"]],
        letter_case: LetterCase::Exact,
        expect: Some(":"),
    },
    Case {
        name: "a question mark in a part does not match a colon",
        domain: EVERYTHING,
        inside: &[&["?"]],
        outside: &[&["."]],
        letter_case: LetterCase::Exact,
        expect: Some(":"),
    },
    Case {
        name: "stars in parts match between colons",
        domain: EVERYTHING,
        inside: &[&["~:~:~"]],
        outside: &[&["~::~", ":*"]],
        letter_case: LetterCase::Exact,
        expect: Some("a:a:"),
    },
    Case {
        name: "the prefix of the domain is part of the text",
        domain: NAMES,
        inside: &[&["r/*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: Some("r/a"),
    },
    Case {
        name: "a pattern that does not match the prefix matches nothing",
        domain: NAMES,
        inside: &[&["a*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "a pattern that matches the prefix and more excludes everything",
        domain: NAMES,
        inside: &[],
        outside: &[&["?/*"]],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "no string of the domain ends with a separator",
        domain: NAMES,
        inside: &[&["*/"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "no string is longer than the domain allows",
        domain: NAMES,
        inside: &[&["*/*/*/*/*"]],
        outside: &[],
        letter_case: LetterCase::Exact,
        expect: None,
    },
    Case {
        name: "a string of the maximum length is found",
        domain: NAMES,
        inside: &[&["r/??????"]],
        outside: &[&["*b*", "*/?*/*"]],
        letter_case: LetterCase::Exact,
        expect: Some("r/aaaaaa"),
    },
    Case {
        name: "all strings of a finite domain may be excluded",
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
fn written_question_gets_the_expected_answer() {
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
fn excluding_all_named_characters_finds_another_one() {
    let outside =
        vec![union(&["*a*", "*A*", "*:*:*", "*é*", "*É*"], LetterCase::Exact), union(&[":"], LetterCase::Exact)];
    let question = Question { domain: ANYTHING, inside: vec![union(&["*"], LetterCase::Exact)], outside };
    let answer = question.answer(PLENTY).unwrap().unwrap();
    question.check(Some(&answer), &ANYTHING.strings()).unwrap();
    assert!(answer.chars().all(|c| c == ':' || !"aAéÉ".contains(c)), "`{answer}`");
}

#[test]
fn random_question_gets_the_answer_of_brute_force() {
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
    assert!(some > 50 && none > 50, "too few questions: {some} with an answer, {none} without");
}

#[test]
fn order_of_unions_and_patterns_does_not_matter() {
    for_questions(|question, _| {
        let reversed = |unions: &[Texts]| {
            let turned =
                |union: &Texts| Texts::new(union.globs().iter().rev().cloned().collect(), union.rules().letter_case);
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
fn small_budget_fails_or_gives_the_same_answer() {
    let mut overdrawn = 0;
    for_questions(|question, _| {
        let answer = question.answer(PLENTY);
        let mut was_enough = false;
        for steps in [0, 1, 2, 3, 5, 8, 13, 21, 50, 100, 400, 2_000, 50_000] {
            match question.answer(steps) {
                Err(OverBudget) if was_enough => {
                    return Err(format!("{steps} steps are not enough, but fewer were: {question:?}"));
                }
                Err(OverBudget) => overdrawn += 1,
                enough if enough == answer => was_enough = true,
                other => return Err(format!("{other:?} with {steps} steps, {answer:?} with plenty: {question:?}")),
            }
        }
        Ok(())
    });
    assert!(overdrawn > 100, "only {overdrawn} questions exceeded their budget");
}

#[test]
fn budget_once_spent_stays_spent() {
    let (inside, budget) = (union(&["*a*b*a*"], LetterCase::Exact), Budget::new(10));
    assert_eq!(shortest(&EVERYTHING, &[&inside], &[], &budget), Err(OverBudget));
    assert_eq!(budget.spend(1), Err(OverBudget));
}

#[test]
fn single_text_matches_as_the_symbols_define() {
    for_questions(|question, strings| {
        for union in question.inside.iter().chain(&question.outside) {
            // Every seventh string: enough, and fast.
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
fn domain_contains_only_the_strings_of_its_automaton() {
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
