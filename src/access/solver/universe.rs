//! Sets of well-formed texts: repository names, regions, accounts, session names.
//!
//! Each universe is an automaton over characters ([`Domain`]); the states are numbers that only its own functions use.
//!
//! Sources: SDK models of ECR and ECR Public (`RepositoryName`), IAM and STS API references (`AccountId`,
//! `RoleSessionName`), SDK partition metadata (region names).

use crate::policy::language::Domain;

/// A set of well-formed texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::access) enum Universe {
    /// Any text.
    Text,
    /// Any text except the empty one: the keys of tags, services, paths of organizations.
    Member,
    /// An ARN of any service.
    Arn,
    /// `repository/` and a name of a private repository.
    Repository,
    /// `repository/` and a name of a public repository.
    PublicRepository,
    /// `registry/` and a registry's id.
    Registry,
    /// A word, a slash and more: a resource of a type that the catalogue does not have, so no repository and no registry.
    Other,
    /// An account's id.
    Account,
    /// A region's code, with the prefix of its partition; `None` in partition `aws`.
    Region(Option<&'static str>),
    /// The role's id, a colon and a session name. Where only EC2 starts sessions, the session name is an instance id.
    UserId {
        /// The role's id and the colon.
        prefix: String,
        /// Whether the session name is an instance id.
        instance: bool,
    },
    /// Texts of a form: `%` stands for a hexadecimal digit, `#` for a digit, `@` for a lower-case letter or a digit, and `~` for
    /// a word, which is one or more of the latter and hyphens. What follows a word is no part of one.
    Form(Form),
    /// Digits, or no text.
    Number,
    /// Every spelling of an IP address, and other texts.
    Address,
    /// Every instant as a date in UTC to the second, and other texts.
    Date,
}

impl Universe {
    /// Whether none of the texts is a number, an instant or an IP address.
    pub(in crate::access) fn is_text_only(&self) -> bool {
        match self {
            Self::Text | Self::Member | Self::Account | Self::Form(_) | Self::Number | Self::Address | Self::Date => {
                false
            }
            Self::Arn | Self::Repository | Self::PublicRepository | Self::Registry | Self::Other | Self::Region(_) => {
                true
            }
            // The ids of roles start with `AROA`.
            Self::UserId { prefix, .. } => prefix.contains(|c: char| c.is_ascii_uppercase() && !c.is_ascii_hexdigit()),
        }
    }

    /// The region codes of a partition.
    pub(in crate::access) fn region(partition: &str) -> Self {
        Self::Region(match partition {
            "aws-cn" => Some("cn-"),
            "aws-us-gov" => Some("us-gov-"),
            "aws-iso" => Some("us-iso-"),
            "aws-iso-b" => Some("us-isob-"),
            "aws-iso-e" => Some("eu-isoe-"),
            "aws-iso-f" => Some("us-isof-"),
            "aws-eusc" => Some("eusc-de-"),
            _ => None,
        })
    }
}

fn region_name(state: u16, c: char) -> Option<u16> {
    match (state, c) {
        (4 | 5, _) if c.is_ascii_lowercase() => Some(5),
        (5, '-') => Some(6),
        (6 | 7, _) if c.is_ascii_digit() => Some(7),
        _ => None,
    }
}

/// Text with places for characters: see [`Universe::Form`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::access) struct Form {
    places: Vec<char>,
    /// The characters that are text in the form, and one class for each kind of the others.
    classes: Vec<&'static str>,
}

impl Form {
    pub(in crate::access) fn new(text: &str) -> Self {
        const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789-./:";
        let is_text = |c: char| text.contains(c);
        let single = |(i, c): (usize, char)| if is_text(c) { CHARACTERS.get(i..=i) } else { None };
        let classes = ["0123456789", "abcdef", "ghijklmnopqrstuvwxyz"];
        let classes = classes.into_iter().chain(CHARACTERS.char_indices().filter_map(single));
        Self { places: text.chars().collect(), classes: classes.collect() }
    }
}

/// The states are twice the place in the form, and one more after the first character of a word.
fn form_step(form: &[char], state: u16, c: char) -> Option<u16> {
    let place = usize::from(state / 2);
    let in_word = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = match form.get(place)? {
        '%' => c.is_ascii_digit() || ('a'..='f').contains(&c),
        '#' => c.is_ascii_digit(),
        '@' => c.is_ascii_lowercase() || c.is_ascii_digit(),
        '~' if in_word => return Some(state | 1),
        '~' => return if state % 2 == 1 && form.get(place + 1) == Some(&c) { Some(state + 3) } else { None },
        text => c == *text,
    };
    fits.then_some(state + 2)
}

impl Domain for Universe {
    fn prefix(&self) -> &str {
        match self {
            Self::Repository | Self::PublicRepository => "repository/",
            Self::Registry => "registry/",
            Self::Region(prefix) => prefix.unwrap_or_default(),
            Self::UserId { prefix, .. } => prefix,
            Self::Arn => "arn:",
            Self::Text
            | Self::Member
            | Self::Other
            | Self::Account
            | Self::Form(_)
            | Self::Number
            | Self::Address
            | Self::Date => "",
        }
    }

    fn step(&self, state: u16, c: char) -> Option<u16> {
        let word = c.is_ascii_lowercase() || c.is_ascii_digit();
        match self {
            Self::Text => Some(0),
            Self::Member => Some(1),
            Self::Form(form) => form_step(&form.places, state, c),
            Self::Number => c.is_ascii_digit().then_some(0),
            Self::Address => (c.is_ascii_hexdigit() || ".:".contains(c)).then_some(0),
            Self::Date => {
                let well_formed = match state {
                    4 | 7 => c == '-',
                    10 => c == 'T',
                    13 | 16 => c == ':',
                    19 => c == 'Z',
                    _ => c.is_ascii_digit() && state < 19,
                };
                well_formed.then_some(state + 1)
            }
            // 0 to 3: so many colons read. 4: at the start of the resource. 5: in the resource.
            Self::Arn => match (state, c) {
                (0..=3, ':') => Some(state + 1),
                (0..=3, _) => Some(state),
                _ => Some(5),
            },
            Self::Account | Self::Registry => (c.is_ascii_digit() && state < 12).then_some(state + 1),
            // 0: start. 1: one character. 2: in a word. 3: after a separator. 4: after `_`. 5: after `-`.
            Self::Repository => match (state, c) {
                (0, _) if word => Some(1),
                (1..=5, _) if word => Some(2),
                (1 | 2, '.' | '/') => Some(3),
                (1 | 2, '_') => Some(4),
                (4, '_') => Some(3),
                (1 | 2 | 5, '-') => Some(5),
                _ => None,
            },
            // 0: start. 1 to 10: so many letters of `repository`. 12 to 17: `reg` and more letters of `registry`.
            // 20: in another word. 21: after the slash. 22: after that.
            Self::Other => match (state, c) {
                (0..=20, 'a'..='z') => Some(match (state, c) {
                    (0..=9, _) if "repository".chars().nth(state.into()) == Some(c) => state + 1,
                    (2, 'g') => 12,
                    (12..=16, _) if "istry".chars().nth(usize::from(state) - 12) == Some(c) => state + 1,
                    _ => 20,
                }),
                (1..=20, '-') => Some(20),
                (10 | 17, '/') => None,
                (1..=20, '/') => Some(21),
                (21 | 22, _) if c != ':' => Some(22),
                _ => None,
            },
            Self::PublicRepository => match (state, c) {
                (0, _) if word => Some(1),
                (1..=3, _) if word => Some(2),
                (1 | 2, '.' | '/' | '_' | '-') => Some(3),
                _ => None,
            },
            // `xx-name-n`. 0: start. 1: one letter. 2: the letter `c`. 3: two letters. 4: `-`. 5: name. 6: `-`. 7: number.
            // `cn` belongs to another partition.
            Self::Region(None) => match (state, c) {
                (0, 'c') => Some(2),
                (0, _) if c.is_ascii_lowercase() => Some(1),
                (2, 'n') => None,
                (1 | 2, _) if c.is_ascii_lowercase() => Some(3),
                (3, '-') => Some(4),
                _ => region_name(state, c),
            },
            Self::Region(Some(_)) => match state {
                0 => region_name(4, c),
                _ => region_name(state, c),
            },
            Self::UserId { instance: false, .. } => {
                let allowed = c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
                (allowed && state < 64).then_some(state + 1)
            }
            Self::UserId { instance: true, .. } => match (state, c) {
                (0, 'i') | (1, '-') => Some(state + 1),
                (2..=18, '0'..='9' | 'a'..='f') => Some(state + 1),
                _ => None,
            },
        }
    }

    fn accepts(&self, state: u16) -> bool {
        match self {
            Self::Text | Self::Number | Self::Address => true,
            Self::Member => state == 1,
            Self::Form(form) => usize::from(state).div_ceil(2) == form.places.len(),
            Self::Other => state == 22,
            Self::Date => state == 20,
            Self::Arn => state == 5,
            Self::Account | Self::Registry => state == 12,
            Self::Repository | Self::PublicRepository => state == 2,
            Self::Region(_) => state == 7,
            Self::UserId { instance: false, .. } => state >= 2,
            Self::UserId { instance: true, .. } => state == 10 || state == 19,
        }
    }

    fn classes(&self) -> &[&str] {
        match self {
            Self::Arn => &["abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", ":"],
            Self::Text | Self::Member => &["abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
            Self::Form(form) => &form.classes,
            Self::Number => &["0123456789"],
            Self::Address => &["0123456789abcdefABCDEF", ".", ":"],
            Self::Date => &["0123456789", "-", "T", ":", "Z"],
            // Each letter of `repository` and `registry` leads to another state, so it is a class.
            Self::Other => {
                &["abcdfhjklmnquvwxz", "r", "e", "p", "o", "s", "i", "t", "y", "g", "0123456789", "-", "_", ".", "/"]
            }
            Self::Repository => &["abcdefghijklmnopqrstuvwxyz0123456789", "-", "_", ".", "/"],
            Self::PublicRepository => &["abcdefghijklmnopqrstuvwxyz0123456789", "-_.", "/"],
            Self::Account | Self::Registry => &["1234567890"],
            Self::Region(_) => &["abdefghijklmnopqrstuvwxyz", "c", "n", "1234567890", "-"],
            Self::UserId { instance: false, .. } => {
                &["abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_+=,.@-"]
            }
            Self::UserId { instance: true, .. } => &["0123456789abcdef", "i", "-"],
        }
    }

    fn any_character(&self) -> bool {
        matches!(self, Self::Text | Self::Member | Self::Arn | Self::Other)
    }

    fn max_len(&self) -> usize {
        match self {
            // For the value of a tag or another text of a request: longer than any pattern that fits in a policy.
            Self::Text | Self::Member | Self::Arn | Self::Number => 16_384,
            Self::Address => 45,
            Self::Date => 20,
            Self::Form(_) => 128,
            Self::Repository | Self::Other => 256,
            Self::PublicRepository => 205,
            Self::Account | Self::Registry => 12,
            Self::Region(_) => 32,
            Self::UserId { .. } => 64,
        }
    }
}
