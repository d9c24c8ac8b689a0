//! Random roles and requests from a seed. The same seed gives the same bytes.
//!
//! Roles are in the format of `aws iam get-account-authorization-details`. Knows how policies are written. Must not know how
//! they are evaluated.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "clippy takes the helpers of tests for no tests"
)]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::VecDeque;

pub mod account;
pub mod conditions;
pub mod probe;
pub mod statements;
pub mod themes;

/// A random number generator (splitmix64). The first numbers can come from a fuzzer's bytes.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
    script: VecDeque<u8>,
}

impl Rng {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Rng {
        Rng { state: seed ^ 0x5DEE_CE66_D1CE_4E5B, script: VecDeque::new() }
    }

    /// A generator whose first numbers are these bytes.
    pub fn scripted(bytes: &[u8]) -> Rng {
        Rng { script: bytes.to_vec().into(), ..Rng::new(0) }
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        if let Some(choice) = self.script.pop_front() {
            return choice.into();
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// True with this probability in percent.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// One of them.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The kind of unusual content that a role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Policies that people write.
    Realistic,
    /// Patterns of resources that overlap, short ARNs, wildcards everywhere.
    Resources,
    /// Conditions of every operator.
    Conditions,
    /// Patterns of actions, `NotAction`.
    Actions,
    /// All of these at once, and text that the grammar does not permit.
    Wild,
}

impl Flavour {
    /// A random flavour; one role in three is realistic.
    pub fn by_chance(rng: &mut Rng) -> Flavour {
        match rng.below(12) {
            0..4 => Flavour::Realistic,
            4..6 => Flavour::Resources,
            6..9 => Flavour::Conditions,
            9 => Flavour::Actions,
            _ => Flavour::Wild,
        }
    }

    /// The probability of a condition on a statement, in percent.
    pub fn conditions(self) -> usize {
        match self {
            Flavour::Realistic => 25,
            Flavour::Resources | Flavour::Actions => 15,
            Flavour::Conditions => 90,
            Flavour::Wild => 60,
        }
    }

    /// Whether resources are unusual.
    pub fn odd_resources(self) -> bool {
        matches!(self, Flavour::Resources | Flavour::Wild)
    }

    /// Whether actions are unusual.
    pub fn odd_actions(self) -> bool {
        matches!(self, Flavour::Actions | Flavour::Wild)
    }

    /// Whether conditions are unusual.
    pub fn odd_conditions(self) -> bool {
        matches!(self, Flavour::Conditions | Flavour::Wild)
    }
}

/// What the policies of a role are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// A little of everything.
    Everything,
    /// The network of a request, the instance that its credentials are from, calls by a service.
    Network,
    /// Values of every type on the same tags.
    Tags,
    /// Organizations.
    Organizations,
    /// How a session started.
    Sessions,
    /// Times.
    Times,
}

/// How the policies of a role are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The kind of unusual content.
    pub flavour: Flavour,
    /// What the conditions are about.
    pub theme: Theme,
}

impl Style {
    /// A random style; one role in three is about everything.
    pub fn by_chance(rng: &mut Rng) -> Style {
        let flavour = Flavour::by_chance(rng);
        let theme = match rng.below(12) {
            0..4 => Theme::Everything,
            4..6 => Theme::Network,
            6..9 => Theme::Tags,
            9 => Theme::Organizations,
            10 => Theme::Sessions,
            _ => *rng.choose(&[Theme::Times, Theme::Sessions]),
        };
        Style { flavour, theme }
    }

    /// Whether the conditions are the main thing.
    pub fn themed(self) -> bool {
        self.theme != Theme::Everything
    }
}

/// The partition, account and regions of a role.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'static str,
    /// The role's account.
    pub account: &'static str,
    /// Regions of the partition.
    pub regions: &'static [&'static str],
}

impl Home {
    /// A random home, mostly in partition `aws`.
    pub fn by_chance(rng: &mut Rng) -> Home {
        Home::of(match rng.below(20) {
            0 => "aws-cn",
            1 => "aws-us-gov",
            _ => "aws",
        })
    }

    /// The home in a partition.
    pub fn of(partition: &str) -> Home {
        let (partition, regions): (_, &[&str]) = match partition {
            "aws-cn" => ("aws-cn", &["cn-north-1", "cn-northwest-1"]),
            "aws-us-gov" => ("aws-us-gov", &["us-gov-west-1", "us-gov-east-1"]),
            _ => ("aws", &["us-east-1", "us-west-2", "eu-central-1"]),
        };
        Home { partition, account: "111122223333", regions }
    }
}
