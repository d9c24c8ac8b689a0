//! Recognises what a file holds instead of the output of `aws iam get-account-authorization-details`, to say what to do.

use std::fmt;

use super::text::Place;

/// What the text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotPages {
    /// Nothing but blanks.
    Empty,
    /// A list without pages.
    EmptyList,
    /// Pages, none of which has `RoleDetailList`.
    NoRoles,
    /// Another format, by its name.
    Format(&'static str),
    /// What Python's `print` shows of a dictionary.
    Python,
    /// An error message of the AWS CLI or of a shell, by its first line.
    Message(String),
    /// Text with control characters of a terminal, such as colours.
    Terminal,
    /// A JSON value that is neither an object nor a list, by its kind.
    Value(&'static str),
    /// A role, or a list of roles, without the page around them.
    Roles,
    /// Another JSON document, by its name.
    Document(&'static str),
    /// An object with these members.
    Members(Vec<String>),
    /// JSON that ends too early; the problem with its place.
    CutOff(String),
    /// A NUL byte.
    Nul(Place),
    /// JSON that nests deeper than the parser reads.
    TooDeep(Place),
    /// A value of another type than in AWS's output; the problem with its place.
    Unexpected(String),
    /// Pages, and another form behind them, from this place on.
    Behind(Place, Box<NotPages>),
    /// No JSON.
    Syntax {
        /// The problem with its place.
        problem: String,
        /// The characters at this place.
        found: String,
    },
}

const YAML: &str = "YAML";
const TEXT: &str = "the text format of the AWS CLI";
const TABLE: &str = "the table format of the AWS CLI";

/// Members that show what a JSON document is.
const DOCUMENTS: [(&str, &str); 16] = [
    ("PolicyDocument", "the output of `aws iam get-role-policy`"),
    ("Roles", "the output of `aws iam list-roles`"),
    ("Role", "the output of `aws iam get-role`"),
    ("AttachedPolicies", "the output of `aws iam list-attached-role-policies`"),
    ("PolicyNames", "the output of `aws iam list-role-policies`"),
    ("Policy", "the output of `aws iam get-policy`"),
    ("PolicyVersion", "the output of `aws iam get-policy-version`"),
    ("InstanceProfile", "the output of `aws iam get-instance-profile`"),
    ("InstanceProfiles", "the output of `aws iam list-instance-profiles`"),
    ("Statement", "a policy document"),
    ("Resources", "a CloudFormation template"),
    ("planned_values", "a Terraform plan"),
    ("lineage", "a Terraform state"),
    ("terraform_version", "the output of `terraform show -json`"),
    ("configurationItems", "a snapshot of AWS Config"),
    ("tool_version", "a report of `ecr-read-only`"),
];

/// How many members of an unknown object the message names.
const NAMED_MEMBERS: usize = 5;

/// How many characters of an error message are shown.
const SHOWN_CHARACTERS: usize = 100;

impl NotPages {
    /// What an object with these members is.
    pub(crate) fn of_members(names: &[&str]) -> Self {
        if let Some((_, document)) = DOCUMENTS.iter().find(|(member, _)| names.contains(member)) {
            Self::Document(document)
        } else if names.contains(&"RoleName") {
            Self::Roles
        } else {
            Self::Members(names.iter().take(NAMED_MEMBERS).map(|name| (*name).to_owned()).collect())
        }
    }
}

impl fmt::Display for NotPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty and has no `RoleDetailList`; save the output again with `--output json`"),
            Self::EmptyList => f.write_str("it is an empty list; save the output again without `--query`"),
            Self::NoRoles => f.write_str("it has no `RoleDetailList`; save the output again without `--query`"),
            Self::Format(name) => write!(f, "it is {name}; save the output again with `--output json`"),
            Self::Python => {
                f.write_str("it is a Python dictionary; write it with `json.dumps(response, default=str)` instead of `print`")
            }
            Self::Message(text) => write!(f, "it is an error message, `{text}`; correct the cause and save the output again"),
            Self::Terminal => f.write_str(
                "it has control characters of a terminal; save the output again with `--color off`, or with `jq -M`",
            ),
            Self::Behind(place, form) => write!(f, "from {place} on, {form}"),
            Self::Value(kind) => write!(f, "it has {kind} instead of a page; save the output again without `--query`"),
            Self::Roles => f.write_str(
                "it has roles without `RoleDetailList` and `Policies` around them; save the output again without `--query`",
            ),
            Self::Document(name) => {
                write!(
                    f,
                    "it has no `RoleDetailList` and looks like {name}; save the output of \
                     `aws iam get-account-authorization-details` instead"
                )
            }
            Self::Members(names) if names.is_empty() => {
                f.write_str("it has an object with no `RoleDetailList`; save the output again without `--query`")
            }
            Self::Members(names) => {
                let names = names.join("`, `");
                write!(f, "it has `{names}`, but no `RoleDetailList`; save the output again without `--query`")
            }
            Self::CutOff(problem) => {
                write!(f, "{problem}; it was cut off, by a full disk or an interrupted command: save the output again")
            }
            Self::Nul(place) => {
                write!(
                    f,
                    "NUL byte at {place}; the file has text in two encodings, or a full disk or a crash damaged it: save the \
                     output again, to a new file"
                )
            }
            Self::TooDeep(place) => write!(f, "lists nest too deep at {place}; save the output again"),
            Self::Unexpected(problem) => write!(f, "{problem}; save the output again without `--query`"),
            Self::Syntax { problem, found } => {
                write!(f, "{problem}, found `{found}`; save only the output of the command, with `--output json`")
            }
        }
    }
}

/// The first characters of a text, with control characters escaped.
pub(crate) fn one_line(text: &str, characters: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(characters) {
        if c.is_control() { line.extend(c.escape_debug()) } else { line.push(c) }
    }
    line
}

/// The form of a text that is no JSON, if it is a known one.
pub(crate) fn known_form(text: &str) -> Option<NotPages> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = lines.next()?;
    let second = lines.next().unwrap_or_default();
    if ["{'", "{u'", "[{'", "[{u'"].iter().any(|start| text.starts_with(start)) {
        return Some(NotPages::Python);
    }
    if first.starts_with('<') {
        let start = text.get(..200).unwrap_or(text).to_ascii_lowercase();
        let html = start.contains("<html") || start.contains("<!doctype html");
        return Some(NotPages::Format(if html { "an HTML page" } else { "XML" }));
    }
    if first.len() > 3 && first.bytes().all(|byte| byte == b'-') && second.starts_with('|') {
        return Some(NotPages::Format(TABLE));
    }
    if is_text_line(first) || is_text_line(second) {
        return Some(NotPages::Format(TEXT));
    }
    if first.starts_with('\u{1B}') {
        return Some(NotPages::Terminal);
    }
    if is_message(first) {
        return Some(NotPages::Message(one_line(first, SHOWN_CHARACTERS)));
    }
    let mut content = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = content.find(|line| *line != "---")?;
    // JSON behind a warning such as `Warning: …` is no YAML.
    let has_json = content.any(|line| line.starts_with('{'));
    (is_yaml_line(first) && !has_json).then_some(NotPages::Format(YAML))
}

/// The first line of an error message of the AWS CLI, or of a shell that does not find it.
fn is_message(line: &str) -> bool {
    let starts =
        ["aws: ", "usage: aws ", "Error ", "Unable to locate credentials", "The config profile ", "Traceback "];
    let parts = ["An error occurred (", "command not found", "aws: not found", "is not recognized as"];
    starts.iter().any(|start| line.starts_with(start)) || parts.iter().any(|part| line.contains(part))
}

/// `ROLEDETAILLIST`, a tab and values: a name in capitals, as the AWS CLI writes it.
fn is_text_line(line: &str) -> bool {
    line.split_once('\t').is_some_and(|(name, _)| name.len() > 4 && name.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// `RoleDetailList:`, `- IsTruncated: false`.
fn is_yaml_line(line: &str) -> bool {
    let line = line.strip_prefix("- ").unwrap_or(line);
    line.split_once(':').is_some_and(|(key, value)| {
        let key = key.trim_matches(['"', '\'']);
        !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (value.is_empty() || value.starts_with(' '))
    })
}
