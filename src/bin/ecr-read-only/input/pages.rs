//! Splits a text into the pages of `aws iam get-account-authorization-details`: one after the other, or in JSON lists.
//!
//! Roles and policies stay text until they are needed. A file of thousands of roles so takes little more memory than its
//! own size.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.

use std::borrow::Cow;
use std::fmt;

use ecr_read_only::policy::arn::Arn;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::not_pages::{NotPages, known_form, one_line};
use super::text::Place;

/// Why a text is not read as pages. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("not the JSON output of `aws iam get-account-authorization-details`: {0}")]
pub(crate) struct PagesError(NotPages);

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    /// The entries of `RoleDetailList`; `None` if the page has no such member.
    pub(crate) roles: Option<Vec<Entry<'a>>>,
    /// The entries of `Policies`, each with an ARN.
    pub(crate) policies: Vec<Entry<'a>>,
    /// Whether more pages follow: `IsTruncated`, `Marker` or `NextToken` say so.
    pub(crate) more_follow: bool,
    /// The ARNs of the first user and of the first group, which show the account.
    pub(crate) others: Vec<Cow<'a, str>>,
}

/// A role or a managed policy of a page.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Its `Arn`; empty if there is none.
    pub(crate) arn: Cow<'a, str>,
    pub(crate) json: &'a RawValue,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        let [arn] = first_texts(json, ["Arn"]);
        Ok(Self { arn, json })
    }
}

/// Between pages: blanks, byte order marks, and the end-of-file character that `copy` of Windows appends.
fn is_between_pages(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{1A}')
}

/// Reads the pages.
///
/// # Errors
/// [`PagesError`] if the text is something else.
pub(crate) fn read(text: &str) -> Result<Vec<Page<'_>>, PagesError> {
    let mut pages = Vec::new();
    let mut rest = text.trim_start_matches(is_between_pages);
    if rest.is_empty() {
        return Err(PagesError(NotPages::Empty));
    }
    // Text such as YAML can start with a JSON value, for example a number.
    let form_of_text = || known_form(text.trim_start_matches(is_between_pages));
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Item<'_>>();
        let item = match values.next() {
            Some(Ok(item)) => item,
            Some(Err(error)) => {
                let behind = || {
                    let form = known_form(rest).filter(|_| !pages.is_empty())?;
                    Some(NotPages::Behind(place_of(text, rest), Box::new(form)))
                };
                let form = form_of_text().or_else(behind);
                return Err(PagesError(form.unwrap_or_else(|| json_problem(text, rest, &error))));
            }
            None => break,
        };
        item.add_to(&mut pages).map_err(|other| PagesError(form_of_text().unwrap_or(other)))?;
        rest = rest.get(values.byte_offset()..).unwrap_or_default().trim_start_matches(is_between_pages);
    }
    if pages.is_empty() {
        return Err(PagesError(NotPages::EmptyList));
    }
    if pages.iter().all(|page: &Page<'_>| page.roles.is_none()) {
        return Err(PagesError(NotPages::NoRoles));
    }
    let mut policies = pages.iter().flat_map(|page| &page.policies);
    if let Some(nameless) = policies.find(|policy| policy.arn.is_empty()) {
        let place = place_of(text, nameless.json.get());
        return Err(PagesError(NotPages::Unexpected(format!("an entry of `Policies` without `Arn` at {place}"))));
    }
    Ok(pages)
}

/// What is wrong with the JSON of the last part of the text, with the place in the whole text.
fn json_problem(text: &str, part: &str, error: &serde_json::Error) -> NotPages {
    let after = part.get(offset_of(part, error.line(), error.column())..).unwrap_or_default();
    let place = place_of(text, after);
    let problem = format!("{} at {place}", without_place(error));
    // In a string the parser stops one character early.
    if let Some((_, after_nul)) = after.split_once('\0').filter(|(before, _)| before.chars().count() < 2) {
        let before = text.len() - after_nul.len() - 1;
        return NotPages::Nul(Place::behind(text.get(..before).unwrap_or_default()));
    }
    match error.classify() {
        _ if problem.starts_with("recursion limit") => NotPages::TooDeep(place),
        Category::Data | Category::Io => NotPages::Unexpected(problem),
        Category::Eof => NotPages::CutOff(problem),
        Category::Syntax => NotPages::Syntax { problem, found: one_line(after, 20) },
    }
}

/// The offset of the character at this line and column, as `serde_json` counts them: in bytes, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let offset = (before + column.saturating_sub(1)).min(text.len());
    (0..=offset).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or_default()
}

/// The text of an error without the place, which counts from the start of a part.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    // The words of JSON instead of those of the parser.
    text.replace("expected a sequence", "expected a list").replace("invalid type: map", "invalid type: object")
}

/// Where a part of the text starts.
fn place_of(text: &str, part: &str) -> Place {
    // The part borrows from the text, so the difference of the addresses is its offset.
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    Place::behind(text.get(..offset).unwrap_or(text))
}

/// What is wrong with a part of the text, with the place in the whole text.
pub(crate) fn problem_in(text: &str, part: &str, error: &serde_json::Error) -> String {
    let after = part.get(offset_of(part, error.line(), error.column())..).unwrap_or_default();
    format!("{} at {}", without_place(error), place_of(text, after))
}

/// A value at the top of the text or in a list: a page, a list of them, or something else.
enum Item<'a> {
    Page(Page<'a>),
    List(Vec<Item<'a>>),
    Other(NotPages),
}

impl<'a> Item<'a> {
    fn add_to(self, pages: &mut Vec<Page<'a>>) -> Result<(), NotPages> {
        match self {
            Self::Page(page) => pages.push(page),
            Self::List(items) => {
                for item in items {
                    item.add_to(pages)?;
                }
            }
            Self::Other(other) => return Err(other),
        }
        Ok(())
    }
}

/// A string that borrows from the input where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page, or a list of pages")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut page, mut read, mut unknown) = (Page::default(), Vec::new(), Vec::new());
        while let Some(Text(name)) = map.next_key()? {
            if read.contains(&name) {
                return Err(de::Error::custom(format!("`{name}` appears twice")));
            }
            match &*name {
                "RoleDetailList" => page.roles = Some(map.next_value::<Option<Vec<_>>>()?.unwrap_or_default()),
                "Policies" => page.policies = map.next_value::<Option<Vec<_>>>()?.unwrap_or_default(),
                "UserDetailList" | "GroupDetailList" => page.others.extend(map.next_value::<FirstArn<'_>>()?.0),
                "IsTruncated" => page.more_follow |= map.next_value::<Option<bool>>()?.unwrap_or_default(),
                "Marker" | "NextToken" => {
                    page.more_follow |= map.next_value::<Option<Text<'_>>>()?.is_some_and(|token| !token.0.is_empty());
                }
                _ => {
                    let IgnoredAny = map.next_value()?;
                    unknown.push(name);
                    continue;
                }
            }
            read.push(name);
        }
        let lists = ["RoleDetailList", "Policies", "UserDetailList", "GroupDetailList"];
        if read.iter().any(|name| lists.contains(&&**name)) {
            Ok(Item::Page(page))
        } else {
            let names: Vec<&str> = unknown.iter().map(|name| &**name).collect();
            Ok(Item::Other(NotPages::of_members(&names)))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            // The first other value is enough for the error.
            if matches!(item, Item::Other(_)) && items.iter().any(|item| matches!(item, Item::Other(_))) {
                continue;
            }
            items.push(item);
        }
        Ok(Item::List(items))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("null")))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("a boolean")))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("a number")))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("a number")))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("a number")))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Item::Other(NotPages::Value("a string")))
    }
}

/// The ARN of the first entry of a list that has one.
struct FirstArn<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for FirstArn<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = FirstArn<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(FirstArn(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while let Some(Entry { arn, .. }) = seq.next_element()? {
                    if !arn.is_empty() {
                        while let Some(IgnoredAny) = seq.next_element()? {}
                        return Ok(FirstArn(Some(arn)));
                    }
                }
                Ok(FirstArn(None))
            }
        }

        deserializer.deserialize_any(List)
    }
}

/// The texts of these members of an object; empty where there is none. They are readable even if the rest is malformed.
/// Reads no further than needed: AWS prints names and ARNs before the long members.
pub(crate) fn first_texts<'a, const N: usize>(object: &'a RawValue, members: [&str; N]) -> [Cow<'a, str>; N] {
    struct Reader<'r, 'a, const N: usize> {
        members: [&'r str; N],
        texts: &'r mut [Cow<'a, str>; N],
    }

    impl<'de, const N: usize> Visitor<'de> for Reader<'_, 'de, N> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(member)) = map.next_key()? {
                let wanted = self.members.iter().zip(self.texts.iter_mut()).find(|(name, _)| **name == member);
                match wanted {
                    Some((_, text)) => {
                        *text = map.next_value::<Option<Text<'_>>>()?.map(|text| text.0).unwrap_or_default()
                    }
                    None => {
                        let IgnoredAny = map.next_value()?;
                    }
                }
                if self.texts.iter().all(|text| !text.is_empty()) {
                    break;
                }
            }
            Ok(())
        }
    }

    let mut texts = [const { Cow::Borrowed("") }; N];
    let reader = Reader { members, texts: &mut texts };
    // An error wherever the reader stops before the end of the object. The texts count.
    let _stopped = serde_json::Deserializer::from_str(object.get()).deserialize_map(reader);
    texts
}

/// The account that owns the resource with this ARN. `None` for AWS managed policies and for text that is no ARN.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    let account = Arn::parse(arn)?.account;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}
