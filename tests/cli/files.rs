//! Input files as people have them: encodings, compression, pages, several accounts, partial data, and everything that is
//! not the output of `aws iam get-account-authorization-details`.

use std::io::Write as _;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::command::{BINARY, run};
use crate::report_schema::checked_report;
use crate::{WORKER, allow, page, role, verdicts};

const NOT_PAGES: &str =
    "ecr-read-only: standard input: not the JSON output of `aws iam get-account-authorization-details`: ";
const MISSING: &str = "are missing: a page says that more follow (`IsTruncated`, `Marker` or `NextToken`), but the last \
    page is not in the file; save the output again without `--max-items` and `--no-paginate`, or add the other pages";

const DAMAGED: &str =
    "the file has text in two encodings, or a full disk or a crash damaged it: save the output again, to a new file";

fn account() -> Value {
    page(&[role("worker", &allow("ecr:PutImage"), &[WORKER])])
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// The verdicts or errors in the report, each with the first digit of the account: `1 worker COMPLIANT`.
fn results(output: &Output) -> Vec<String> {
    let report = checked_report(&output.stdout);
    let result = |role: &Value| {
        let account = role["account"].as_str().map_or("-", |account| &account[..1]);
        let result = role["verdict"].as_str().or(role["error"].as_str()).unwrap();
        format!("{account} {} {result}", role["role_name"].as_str().unwrap())
    };
    report["roles"].as_array().unwrap().iter().map(result).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn utf32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|c| bytes(c.into())).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn encoded_or_compressed_file_is_judged() {
    let mut account = account();
    // One character beyond ASCII, and one that takes two units of UTF-16.
    account["RoleDetailList"][0]["Tags"] = json!([{ "Key": "owner", "Value": "Åsa 🚢" }]);
    let text = serde_json::to_string_pretty(&account).unwrap();
    let with_mark = format!("\u{FEFF}{text}");
    let halves = text.split_at(text.len() / 2);
    for (name, bytes) in [
        ("UTF-8", text.clone().into_bytes()),
        ("UTF-8 with mark", with_mark.clone().into_bytes()),
        ("UTF-16LE with mark", utf16(&with_mark, u16::to_le_bytes)),
        ("UTF-16BE with mark", utf16(&with_mark, u16::to_be_bytes)),
        ("UTF-16LE", utf16(&text, u16::to_le_bytes)),
        ("UTF-16BE", utf16(&text, u16::to_be_bytes)),
        ("UTF-32LE with mark", utf32(&with_mark, u32::to_le_bytes)),
        ("UTF-32BE with mark", utf32(&with_mark, u32::to_be_bytes)),
        ("UTF-32LE", utf32(&text, u32::to_le_bytes)),
        ("UTF-32BE", utf32(&text, u32::to_be_bytes)),
        ("gzip", gzip(text.as_bytes())),
        ("gzip of UTF-16", gzip(&utf16(&with_mark, u16::to_le_bytes))),
        ("gzip in two members", [gzip(halves.0.as_bytes()), gzip(halves.1.as_bytes())].concat()),
        ("lines of Windows", text.replace('\n', "\r\n").into_bytes()),
        ("end of file of Windows", format!("{text}\r\n\u{1A}").into_bytes()),
    ] {
        let output = run(&["--format", "json"], &bytes);
        assert_eq!((results(&output), stderr(&output)), (vec!["1 worker NON_COMPLIANT".to_owned()], ""), "{name}");
    }
}

#[test]
fn undecodable_file_is_refused() {
    let text = account().to_string();
    let mut cut_gzip = gzip(text.as_bytes());
    cut_gzip.truncate(cut_gzip.len() - 12);
    let mut latin = text.replacen("worker", "w_rker", 1).into_bytes();
    let place = latin.iter().position(|byte| *byte == b'_').unwrap();
    latin[place] = 0xF6;
    let mut odd = utf16(&text, u16::to_le_bytes);
    odd.pop();
    let surrogate = [utf16("{\"", u16::to_le_bytes), vec![0, 0xD8], utf16("\"}", u16::to_le_bytes)].concat();
    let characters = text.chars().count() - 1;
    let at = format!("line 1 column {}", place + 1);
    for (bytes, expected) in [
        (cut_gzip, "the gzip data is damaged: incomplete deflate stream; save the file again".to_owned()),
        (latin, format!("is not UTF-8: {at} has an invalid byte; save the file again as UTF-8")),
        (odd, format!("the UTF-16 text is damaged after {characters} characters; save the file again as UTF-8")),
        (surrogate, "the UTF-16 text is damaged after 2 characters; save the file again as UTF-8".to_owned()),
        (b"PK\x03\x04rest".to_vec(), "is a zip archive; unpack it first".to_owned()),
        (b"BZh91AY".to_vec(), "is compressed with bzip2; unpack it first".to_owned()),
        (b"\xFD7zXZ\0rest".to_vec(), "is compressed with xz; unpack it first".to_owned()),
        (b"\x28\xB5\x2F\xFDrest".to_vec(), "is compressed with zstd; unpack it first".to_owned()),
        (gzip(&gzip(text.as_bytes())), "is compressed with gzip twice; unpack it first".to_owned()),
        ([&[b'x'; 257][..], b"ustar"].concat(), "is a tar archive; unpack it first".to_owned()),
    ] {
        let output = run(&[], &bytes);
        assert_eq!(stderr(&output), format!("ecr-read-only: standard input: {expected}\n"));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}

#[test]
fn unreadable_path_is_refused() {
    for (path, expected) in [
        ("tests", "is a directory; give a file with the output of `aws iam get-account-authorization-details`"),
        (
            "tests/nothing.json",
            "cannot be read: No such file or directory (os error 2); check the value of `--account-details`",
        ),
    ] {
        let mut command = Command::new(BINARY);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["check", "--account-details", path]);
        let output = command.output().unwrap();
        assert_eq!(stderr(&output), format!("ecr-read-only: {path}: {expected}\n"));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}

#[test]
fn file_of_another_form_is_refused() {
    let sound = account().to_string();
    let cut = "{\"RoleDetailList\": [{\"RoleName\": \"worker\",";
    let table = "---------------\n|  get-account-authorization-details  |\n+-------------+\n";
    let text = "ROLEDETAILLIST\tarn:aws:iam::111122223333:role/r\t2026-01-05T09:00:00+00:00\t/\tAROAR\tr\n";
    let is_empty = "it is empty and has no `RoleDetailList`; save the output again with `--output json`";
    let yaml = "it is YAML; save the output again with `--output json`";
    let in_text = "it is the text format of the AWS CLI; save the output again with `--output json`";
    for (input, expected) in [
        ("", is_empty),
        (" \r\n\u{FEFF}", is_empty),
        ("GroupDetailList: []\nRoleDetailList:\n- Path: /\n", yaml),
        ("# saved\n---\n\"RoleDetailList\": []\n", yaml),
        ("- IsTruncated: false\n  RoleDetailList: []\n", yaml),
        (
            "Warning: the token expires soon\n{\n}",
            "expected value at line 1 column 1, found `Warning: the token e`; save only the output of the command, with \
             `--output json`",
        ),
        (text, in_text),
        (&format!("False\n{text}"), in_text),
        (table, "it is the table format of the AWS CLI; save the output again with `--output json`"),
        (
            "\u{1B}[1;39m{\n  \u{1B}[0m",
            "it has control characters of a terminal; save the output again with `--color off`, or with `jq -M`",
        ),
        (&format!("{sound}\nRoleDetailList: []\n"), &format!("from line 2 column 1 on, {yaml}")),
        ("<!DOCTYPE html>\n<html>", "it is an HTML page; save the output again with `--output json`"),
        (
            "<GetAccountAuthorizationDetailsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">",
            "it is XML; save the output again with `--output json`",
        ),
        (
            "{'RoleDetailList': [], 'IsTruncated': False}",
            "it is a Python dictionary; write it with `json.dumps(response, default=str)` instead of `print`",
        ),
        (
            "saved\n{}",
            "expected value at line 1 column 1, found `saved\\n{}`; save only the output of the command, with `--output json`",
        ),
        (
            &format!("{sound},\n{sound}"),
            &format!(
                "expected value at line 1 column {}, found `,\\n{{\"Policies\":[{{\"Arn`; save only the output of the \
                 command, with `--output json`",
                sound.len() + 1
            ),
        ),
        (
            cut,
            "EOF while parsing an object at line 1 column 42; it was cut off, by a full disk or an interrupted command: save \
             the output again",
        ),
        ("{\n\"RoleDetailList\": [\0\0", &format!("NUL byte at line 2 column 20; {DAMAGED}")),
        (&format!("{sound}\n\0\0\0"), &format!("NUL byte at line 2 column 1; {DAMAGED}")),
        ("{\"RoleDetailList\": [{\"RoleName\": \"wor\0\0", &format!("NUL byte at line 1 column 38; {DAMAGED}")),
        (&"[".repeat(100_000), "lists nest too deep at line 1 column 128; save the output again"),
        ("[]", "it is an empty list; save the output again without `--query`"),
        ("null", "it has null instead of a page; save the output again without `--query`"),
        ("[\"worker\"]", "it has a string instead of a page; save the output again without `--query`"),
        ("12", "it has a number instead of a page; save the output again without `--query`"),
        ("[true]", "it has a boolean instead of a page; save the output again without `--query`"),
        ("{}", "it has an object with no `RoleDetailList`; save the output again without `--query`"),
        (
            "{\"names\": [], \"count\": 3}",
            "it has `names`, `count`, but no `RoleDetailList`; save the output again without `--query`",
        ),
        (
            "[[{\"RoleName\": \"worker\", \"Arn\": \"a\"}], []]",
            "it has roles without `RoleDetailList` and `Policies` around them; save the output again without `--query`",
        ),
        (
            "{\"RoleName\": \"worker\"}",
            "it has roles without `RoleDetailList` and `Policies` around them; save the output again without `--query`",
        ),
        ("{\"Policies\": []}", "it has no `RoleDetailList`; save the output again without `--query`"),
        (
            "{\"RoleDetailList\": [],\n\"RoleDetailList\": []}",
            "`RoleDetailList` appears twice at line 2 column 16; save the output again without `--query`",
        ),
        (
            "{\"RoleDetailList\": \"worker\"}",
            "invalid type: string \"worker\", expected a list at line 1 column 27; save the output again without \
             `--query`",
        ),
        (
            "{\"RoleDetailList\": [], \"Policies\":\n [{\"PolicyName\": \"push\"}]}",
            "an entry of `Policies` without `Arn` at line 2 column 3; save the output again without `--query`",
        ),
    ] {
        let output = run(&[], input);
        assert_eq!(stderr(&output), format!("{NOT_PAGES}{expected}\n"), "{input}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{input}");
    }
}

#[test]
fn another_document_is_refused_by_its_name() {
    let sound = account().to_string();
    for (input, name) in [
        ("{\"Roles\": [], \"IsTruncated\": false}", "the output of `aws iam list-roles`"),
        ("{\"Role\": {}}", "the output of `aws iam get-role`"),
        (
            "{\"RoleName\": \"r\", \"PolicyName\": \"p\", \"PolicyDocument\": {}}",
            "the output of `aws iam get-role-policy`",
        ),
        ("{\"AttachedPolicies\": []}", "the output of `aws iam list-attached-role-policies`"),
        ("{\"PolicyNames\": []}", "the output of `aws iam list-role-policies`"),
        ("{\"Policy\": {}}", "the output of `aws iam get-policy`"),
        (&format!("{sound}\n{{\"PolicyVersion\": {{}}}}"), "the output of `aws iam get-policy-version`"),
        ("{\"InstanceProfile\": {}}", "the output of `aws iam get-instance-profile`"),
        ("{\"InstanceProfiles\": []}", "the output of `aws iam list-instance-profiles`"),
        ("{\"Version\": \"2012-10-17\", \"Statement\": []}", "a policy document"),
        (&format!("{sound}\n{{\"Resources\": {{}}}}"), "a CloudFormation template"),
        ("{\"format_version\": \"1.2\", \"terraform_version\": \"1.9.8\", \"planned_values\": {}}", "a Terraform plan"),
        ("{\"version\": 4, \"terraform_version\": \"1.9.8\", \"lineage\": \"l\"}", "a Terraform state"),
        ("{\"format_version\": \"1.0\", \"terraform_version\": \"1.9.8\"}", "the output of `terraform show -json`"),
        ("{\"configurationItems\": []}", "a snapshot of AWS Config"),
        ("{\"schema\": \"1.0\", \"tool_version\": \"0.1.0\", \"roles\": []}", "a report of `ecr-read-only`"),
    ] {
        let output = run(&[], input);
        let remedy = "save the output of `aws iam get-account-authorization-details` instead";
        let expected = format!("{NOT_PAGES}it has no `RoleDetailList` and looks like {name}; {remedy}\n");
        assert_eq!((stderr(&output), output.status.code()), (&*expected, Some(2)), "{input}");
    }
}

#[test]
fn error_message_in_the_file_is_shown() {
    let sound = account().to_string();
    let denied = "An error occurred (AccessDenied) when calling the GetAccountAuthorizationDetails operation";
    for (message, shown) in [
        (&*format!("{denied}: no"), &*format!("{denied}: no")),
        (&format!("aws: [ERROR]: {denied}: no"), &format!("aws: [ERROR]: {denied}")),
        ("aws: error: argument command: Invalid choice", ""),
        ("usage: aws [options] <command>", ""),
        ("bash: aws: command not found", ""),
        ("sh: 1: aws: not found", ""),
        ("'aws' is not recognized as an internal or external command,", ""),
        ("Error when retrieving token from sso: Token has expired and refresh failed", ""),
        ("Unable to locate credentials. You can configure credentials by running \"aws configure\".", ""),
        ("The config profile (shop) could not be found", ""),
        ("Traceback (most recent call last):", ""),
    ] {
        let shown: String = if shown.is_empty() { message } else { shown }.chars().take(100).collect();
        let expected = format!("it is an error message, `{shown}`; correct the cause and save the output again\n");
        assert_eq!(stderr(&run(&[], format!("\n{message}\n"))), format!("{NOT_PAGES}{expected}"));
        // The output of a second command is behind that of the first.
        let output = run(&[], format!("{sound}\n\n{message}\n"));
        assert_eq!(stderr(&output), format!("{NOT_PAGES}from line 3 column 1 on, {expected}"));
    }
}

/// A page with one role, and the members that say whether more pages follow.
fn part(name: &str, more: Value) -> Value {
    let mut part = page(&[role(name, &allow("ecr:Get*"), &[WORKER])]);
    part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    part
}

#[test]
fn pages_in_any_order_are_judged_if_the_last_is_there() {
    let flags = |kind: char| match kind {
        'a' => json!({}),
        'l' => json!({ "IsTruncated": false }),
        'n' => json!({ "IsTruncated": null, "Marker": null, "NextToken": "" }),
        't' => json!({ "IsTruncated": true, "Marker": "m" }),
        'i' => json!({ "IsTruncated": true }),
        'm' => json!({ "Marker": "m" }),
        'k' => json!({ "NextToken": "k" }),
        // IAM does not send this. It is doubt.
        _ => json!({ "IsTruncated": false, "Marker": "m" }),
    };
    for (kinds, complete) in [
        ("a", true),
        ("l", true),
        ("n", true),
        ("t", false),
        ("i", false),
        ("m", false),
        ("k", false),
        ("?", false),
        ("tl", true),
        ("lt", true),
        ("ta", true),
        ("at", true),
        ("kka", true),
        ("ttl", true),
        ("tlt", true),
        ("ltt", true),
        ("ttt", false),
        // Two runs of the command.
        ("tltl", true),
        ("aa", true),
        // The last page of the second run can be missing.
        ("tltlt", false),
        ("llt", false),
    ] {
        let pages: Vec<Value> =
            kinds.chars().enumerate().map(|(i, kind)| part(&format!("r{i}"), flags(kind))).collect();
        let lines = pages.iter().map(|page| serde_json::to_string_pretty(page).unwrap()).collect::<Vec<_>>();
        let nested = json!([[pages[0]], pages[1..]]);
        for text in
            [lines.join("\n"), lines.concat(), lines.join("\u{FEFF}"), json!(pages).to_string(), nested.to_string()]
        {
            let output = run(&["--format", "json"], text);
            if complete {
                let all: Vec<String> = (0..kinds.len()).map(|i| format!("1 r{i} COMPLIANT")).collect();
                assert_eq!((results(&output), stderr(&output)), (all, ""), "{kinds}");
            } else {
                let expected = format!("ecr-read-only: standard input: pages {MISSING}\n");
                assert_eq!(
                    (stderr(&output), output.stdout.len(), output.status.code()),
                    (&*expected, 0, Some(2)),
                    "{kinds}"
                );
            }
        }
    }
}

const PUSH: &str = "arn:aws:iam::aws:policy/Push";

/// A page of account `111111111111` or another digit: a role with the AWS managed policy [`PUSH`], and this policy with an
/// action, or one of both.
fn page_of(account: Option<char>, action: Option<&str>, more_follow: bool) -> Value {
    let role = |digit: char| {
        let mut role = role("r", &allow("s3:GetObject"), &[PUSH]);
        role["Arn"] = json!(format!("arn:aws:iam::{}:role/r", digit.to_string().repeat(12)));
        role
    };
    let policy = |action: &str| {
        let version = json!({ "VersionId": "v1", "IsDefaultVersion": true, "Document": allow(action) });
        json!({ "Arn": PUSH, "DefaultVersionId": "v1", "PolicyVersionList": [version] })
    };
    json!({
        "UserDetailList": [], "GroupDetailList": [], "IsTruncated": more_follow,
        "RoleDetailList": account.map(role).into_iter().collect::<Vec<_>>(),
        "Policies": action.map(policy).into_iter().collect::<Vec<_>>(),
    })
}

#[test]
fn accounts_have_their_own_aws_managed_policies() {
    let (push, pull) = (Some("ecr:PutImage"), Some("ecr:BatchGetImage"));
    let conflict = "policy `arn:aws:iam::aws:policy/Push`: the file holds two different documents; save it again; put the \
        pages of each account together and in order";
    let absent =
        "policy `arn:aws:iam::aws:policy/Push` is not in the file; save it again without `--filter` and `--query`";
    let one = |digit, action| page_of(Some(digit), action, false);
    let roles = |digit| page_of(Some(digit), None, true);
    let policies = |action| page_of(None, action, false);
    let mut both = one('1', push);
    both["RoleDetailList"].as_array_mut().unwrap().push(one('2', pull)["RoleDetailList"][0].clone());
    for (name, pages, expected) in [
        ("one page each", vec![one('1', push), one('2', pull)], ["1 r NON_COMPLIANT", "2 r COMPLIANT"]),
        (
            "roles, then policies",
            vec![roles('1'), policies(push), roles('2'), policies(pull)],
            ["1 r NON_COMPLIANT", "2 r COMPLIANT"],
        ),
        (
            "policies, then roles",
            vec![policies(push), roles('1'), policies(pull), roles('2')],
            ["1 r NON_COMPLIANT", "2 r COMPLIANT"],
        ),
        (
            "no order, equal documents",
            vec![roles('1'), roles('2'), policies(push), policies(push)],
            ["1 r NON_COMPLIANT", "2 r NON_COMPLIANT"],
        ),
        (
            "no order, different documents",
            vec![roles('1'), roles('2'), policies(push), policies(pull)],
            [&format!("1 r {conflict}"), &format!("2 r {conflict}")],
        ),
        ("both in one page", vec![both], ["1 r NON_COMPLIANT", "2 r NON_COMPLIANT"]),
        (
            "the document of another account",
            vec![one('1', push), one('2', None)],
            ["1 r NON_COMPLIANT", &format!("2 r {absent}")],
        ),
        (
            "one account lacks its last page",
            vec![one('1', push), roles('2')],
            ["1 r NON_COMPLIANT", &format!("2 r pages of account 222222222222 {MISSING}")],
        ),
    ] {
        let output = run(&["--format", "json", "--role", "r"], json!(pages).to_string());
        assert_eq!(results(&output), expected, "{name}");
        let report = checked_report(&output.stdout);
        let errors: Vec<_> = report["accounts"].as_array().unwrap().iter().map(|one| one["error"].as_str()).collect();
        let expected = expected
            .map(|result| result.split_once(" r ").unwrap().1)
            .map(|result| Some(result).filter(|result| result.starts_with("pages of account")));
        assert_eq!(errors, expected, "{name}");
    }
    // The incomplete account has no role in the file.
    let mut users = page_of(None, None, true);
    users["UserDetailList"] = json!([{ "UserName": "u", "Arn": "arn:aws:iam::222222222222:user/u" }]);
    let output = run(&["--format", "json", "--role", "r"], json!([one('1', pull), users]).to_string());
    assert_eq!((results(&output), output.status.code()), (vec!["1 r COMPLIANT".to_owned()], Some(2)));
    assert_eq!(stderr(&output), format!("ecr-read-only: standard input: pages of account 222222222222 {MISSING}\n"));
    // No account has its last page, or a run has none.
    for pages in [vec![roles('1'), roles('2')], vec![one('1', push), page_of(None, push, true), one('2', push)]] {
        let output = run(&["--role", "r"], json!(pages).to_string());
        assert_eq!(stderr(&output), format!("ecr-read-only: standard input: pages {MISSING}\n"));
    }
}

#[test]
fn role_in_two_pages_is_judged_once_if_it_is_the_same() {
    let first = account();
    let mut used = first.clone();
    used["RoleDetailList"][0]["RoleLastUsed"] = json!({ "Region": "eu-west-1" });
    let mut changed = first.clone();
    changed["RoleDetailList"][0]["Tags"] = json!([{ "Key": "team", "Value": "shop" }]);
    let mut recreated = first.clone();
    recreated["RoleDetailList"][0]["RoleId"] = json!("AROAOTHER");
    let two = "1 worker the file has two different roles with this ARN; save the output again";
    for (pages, expected) in [
        (json!([first, first]), "1 worker NON_COMPLIANT"),
        (json!([first, used]), "1 worker NON_COMPLIANT"),
        (json!([first, changed]), two),
        (json!([first, recreated, first]), two),
    ] {
        assert_eq!(results(&run(&["--format", "json"], pages.to_string())), [expected]);
    }
}

#[test]
fn role_with_a_missing_member_is_an_error() {
    let arn = "arn:aws:iam::123456789012:policy/p";
    let without = |member: &str| json!({ "without": member });
    let no = |members: &str| format!("the role has {members} in the file; save the file again without `--query`");
    for (change, expected) in [
        (without("RolePolicyList"), no("no `RolePolicyList`")),
        (without("AttachedManagedPolicies"), no("no `AttachedManagedPolicies`")),
        (without("Tags"), no("no `Tags`")),
        (without("InstanceProfileList"), no("no `InstanceProfileList`")),
        (without("AssumeRolePolicyDocument"), no("no `AssumeRolePolicyDocument`")),
        (without("RoleId"), no("no `RoleId`")),
        (json!({ "AssumeRolePolicyDocument": null }), no("no `AssumeRolePolicyDocument`")),
        (
            json!({ "AssumeRolePolicyDocument": null, "without": "Tags" }),
            no("no `AssumeRolePolicyDocument`, no `Tags`"),
        ),
        (json!({ "RolePolicyList": null }), "COMPLIANT".to_owned()),
        (json!({ "AttachedManagedPolicies": null }), "NON_COMPLIANT".to_owned()),
        (json!({ "Tags": null, "InstanceProfileList": null, "PermissionsBoundary": null }), "NON_COMPLIANT".to_owned()),
        (
            json!({ "RolePolicyList": [{ "PolicyDocument": {} }] }),
            "an entry of `RolePolicyList` has no `PolicyName`".to_owned(),
        ),
        (json!({ "RolePolicyList": [{ "PolicyName": "p" }] }), "policy `p` has no `PolicyDocument`".to_owned()),
        (
            json!({ "AttachedManagedPolicies": [{ "PolicyName": "p" }] }),
            "an entry of `AttachedManagedPolicies` has no `PolicyArn`".to_owned(),
        ),
        (json!({ "Tags": [{ "Value": "v" }] }), "a tag has no `Key`".to_owned()),
        (json!({ "Tags": [{ "Key": "k" }] }), "tag `k` has no `Value`".to_owned()),
        (json!({ "Tags": [{ "Key": "k", "Value": "" }] }), "NON_COMPLIANT".to_owned()),
        (
            json!({ "InstanceProfileList": [{ "Tags": [] }] }),
            "an entry of `InstanceProfileList` has no `InstanceProfileName`".to_owned(),
        ),
        (json!({ "InstanceProfileList": [{ "InstanceProfileName": "p" }] }), "NON_COMPLIANT".to_owned()),
        (
            json!({ "InstanceProfileList": [{ "InstanceProfileName": "p", "Tags": [{ "Key": "k" }] }] }),
            "tag `k` has no `Value`".to_owned(),
        ),
        (json!({ "PermissionsBoundary": {} }), "`PermissionsBoundary` has no `PermissionsBoundaryArn`".to_owned()),
        (
            json!({ "PermissionsBoundary": { "PermissionsBoundaryArn": arn } }),
            format!(
                "the permissions boundary, policy `{arn}`, is not in the file; save it again without `--filter`, or append \
                 the output of `aws iam get-policy-version --policy-arn {arn} --version-id VERSION --query \
                 \"{{Policies: [{{Arn: '{arn}', PolicyVersionList: [PolicyVersion]}}]}}\"`"
            ),
        ),
    ] {
        let mut account = account();
        let role = account["RoleDetailList"][0].as_object_mut().unwrap();
        for (member, value) in change.as_object().unwrap() {
            if member == "without" {
                role.remove(value.as_str().unwrap()).unwrap();
            } else {
                role.insert(member.clone(), value.clone());
            }
        }
        let output = run(&["--format", "json", "--all-roles"], account.to_string());
        assert_eq!(results(&output), [format!("1 worker {expected}")], "{change}");
    }
}

#[test]
fn place_of_a_malformed_role_counts_from_the_start_of_the_file() {
    let text = serde_json::to_string_pretty(&account()).unwrap().replace("\"Tags\": []", "\"Tags\": [7]");
    let line = text.lines().position(|line| line.contains("[7]")).unwrap() + 1;
    let output = run(&["--format", "json"], format!("\n{text}"));
    let expected = format!(
        "malformed entry of `RoleDetailList`: invalid type: integer `7`, expected an object at line {}",
        line + 1
    );
    let [result] = &*results(&output) else { panic!("{output:?}") };
    assert!(result.starts_with(&format!("1 worker {expected} column ")), "{result}");
    assert!(result.ends_with("; save the output again and do not change it"), "{result}");
}

#[test]
fn role_that_powershell_has_cut_is_an_error_with_the_remedy() {
    let cut = "; PowerShell has cut the role's data: save it again with `ConvertTo-Json -Depth 100`";
    for (member, value, expected) in [
        ("Tags", json!("@{Key=team; Value=shop}"), "malformed entry of `RoleDetailList`: invalid type: string \"@{Key"),
        (
            "RolePolicyList",
            json!([{ "PolicyName": "p", "PolicyDocument": { "Statement": ["@{Effect=Allow; Action=ecr:*}"] } }]),
            "policy `p`: $.Statement[0]: expected an object, found a string; PowerShell",
        ),
        ("AssumeRolePolicyDocument", json!("@{Version=2012-10-17; Statement=System.Object[]}"), "trust policy: "),
    ] {
        let mut account = account();
        account["RoleDetailList"][0][member] = value;
        let output = run(&["--format", "json", "--all-roles"], account.to_string());
        let [result] = &*results(&output) else { panic!("{output:?}") };
        assert!(result.starts_with(&format!("1 worker {expected}")) && result.ends_with(cut), "{result}");
        assert!(!result.contains("do not change it"), "{result}");
    }
}

#[test]
fn role_without_a_name_is_shown_by_its_arn() {
    for (change, expected) in [
        (json!({ "RoleName": null }), "arn:aws:iam::123456789012:role/worker"),
        (json!({ "RoleName": null, "Arn": null }), "AROAWORKER"),
        (json!({ "RoleName": null, "Arn": null, "RoleId": null }), "a role without `RoleName` and `Arn`"),
    ] {
        let mut account = account();
        account["RoleDetailList"][0]["RoleId"] = json!("AROAWORKER");
        account["RoleDetailList"][0].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let output = String::from_utf8(run(&[], account.to_string()).stdout).unwrap();
        assert!(output.starts_with(&format!("ERROR           {expected}: the role has no `RoleName`")), "{output}");
    }
}

#[test]
fn managed_policy_without_a_clear_default_version_is_an_error() {
    let version = |id: &str, default: Value| json!({ "VersionId": id, "IsDefaultVersion": default, "Document": allow("ecr:PutImage") });
    let old = json!({ "VersionId": "v1", "IsDefaultVersion": false, "Document": allow("s3:*") });
    let none = "the file has no default version of it (`IsDefaultVersion`)";
    let several = "the file has more than one default version of it; save it again";
    for (policy, expected) in [
        (json!({ "DefaultVersionId": "v2", "PolicyVersionList": [old, version("v2", json!(true))] }), ""),
        (json!({ "PolicyVersionList": [old, version("v2", json!(true))] }), ""),
        (json!({ "DefaultVersionId": "v2", "PolicyVersionList": [version("v2", Value::Null)] }), ""),
        (json!({ "DefaultVersionId": "v2" }), "the file has no `PolicyVersionList` for it"),
        (json!({ "DefaultVersionId": "v2", "PolicyVersionList": [] }), none),
        (json!({ "DefaultVersionId": "v2", "PolicyVersionList": [old] }), none),
        (json!({ "PolicyVersionList": [version("v2", Value::Null)] }), none),
        (json!({ "PolicyVersionList": [version("v1", json!(true)), version("v2", json!(true))] }), several),
        (json!({ "DefaultVersionId": "v3", "PolicyVersionList": [version("v2", json!(true))] }), several),
        (
            json!({ "PolicyVersionList": [{ "VersionId": "v1", "IsDefaultVersion": true }] }),
            "the file has no document for the default version",
        ),
        (
            json!({ "PolicyVersionList": "none" }),
            "malformed entry of `Policies`: invalid type: string \"none\", expected a list at line 1 column ",
        ),
    ] {
        let mut account = page(&[role("worker", &allow("s3:*"), &[PUSH])]);
        let mut policy = policy;
        policy["Arn"] = json!(PUSH);
        account["Policies"].as_array_mut().unwrap().push(policy.clone());
        let output = run(&["--format", "json", "--all-roles"], account.to_string());
        let expected = match expected {
            "" => "1 worker NON_COMPLIANT".to_owned(),
            error => format!("1 worker policy `{PUSH}`: {error}"),
        };
        let results = results(&output);
        assert!(
            results[0] == expected || expected.ends_with(' ') && results[0].starts_with(&expected),
            "{policy} {results:?}"
        );
    }
}

#[test]
fn run_that_judges_no_role_is_an_error() {
    let web = |name: &str| role(name, &allow("ecr:PutImage"), &[]);
    let mut broken = web("broken");
    broken["Tags"] = json!("none");
    let options = "name node roles with `--role NAME`, or check all roles with `--all-roles`";
    for (roles, arguments, expected) in [
        (
            vec![],
            &["--all-roles"][..],
            "the file has 0 roles, so `--role` and `--all-roles` find none; save it again without `--filter`, or with \
             `--filter Role LocalManagedPolicy AWSManagedPolicy`"
                .to_owned(),
        ),
        (vec![web("a")], &[], format!("the file has 1 role, and does not show that EKS nodes use it; {options}")),
        (
            vec![web("a"), web("b")],
            &[],
            format!("the file has 2 roles, and shows for none that EKS nodes use it; {options}"),
        ),
        (
            vec![web("a"), web("b"), broken.clone()],
            &[],
            format!("the file has 3 roles: 1 with an error, and 2 without a sign that EKS nodes use it; {options}"),
        ),
        (vec![broken.clone()], &["--all-roles"], "the file has 1 role, and it has an error".to_owned()),
        (vec![broken.clone(), broken_copy(&broken)], &[], "the file has 2 roles, and each has an error".to_owned()),
        (vec![web("a"), web("b")], &["--role", "b"], String::new()),
    ] {
        let expected = match expected.as_str() {
            "" => (String::new(), Some(1)),
            text => (format!("ecr-read-only: standard input: no role was judged: {text}\n"), Some(2)),
        };
        for format in ["json", "text"] {
            let output = run(&[&["--format", format], arguments].concat(), page(&roles).to_string());
            assert_eq!((stderr(&output).to_owned(), output.status.code()), expected);
            if format == "json" {
                assert_eq!(checked_report(&output.stdout)["roles"].as_array().unwrap().len(), roles.len());
            }
        }
    }
}

/// The same role under another name.
fn broken_copy(role: &Value) -> Value {
    let mut copy = role.clone();
    copy["RoleName"] = json!("copy");
    copy["Arn"] = json!("arn:aws:iam::123456789012:role/copy");
    copy
}

#[test]
fn text_report_names_the_account_if_there_are_several() {
    let (one, two) = (page_of(Some('1'), Some("ecr:Get*"), false), page_of(Some('2'), Some("ecr:Get*"), false));
    let mut broken = two.clone();
    broken["RoleDetailList"][0]["Tags"] = json!("none");
    for (pages, accounts) in [
        (json!([one]), &[][..]),
        (json!([one, two]), &["    account 111111111111", "    account 222222222222"]),
        (json!([broken, one]), &["    account 222222222222", "    account 111111111111"]),
    ] {
        let text = String::from_utf8(run(&["--all-roles"], pages.to_string()).stdout).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with(' ')).collect::<Vec<_>>(), accounts, "{text}");
    }
}

#[test]
fn role_option_counts_in_every_account() {
    let pages =
        json!([page_of(Some('1'), Some("ecr:PutImage"), false), page_of(Some('2'), Some("ecr:PutImage"), false)]);
    let report = checked_report(&run(&["--format", "json", "--role", "r"], pages.to_string()).stdout);
    assert_eq!(verdicts(report["roles"].as_array().unwrap()), ["NON_COMPLIANT"; 2]);
    let accounts = json!([{ "id": "111111111111", "error": null }, { "id": "222222222222", "error": null }]);
    assert_eq!(report["accounts"], accounts);
}
