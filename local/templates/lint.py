"""Lints the templates as CloudFormation receives them, and writes them to a folder for other tools.

    python -m local.templates.lint FOLDER [CFN-LINT ARGUMENT ...]

cfn-lint skips checks in templates with the SAM transform (IAM actions, patterns, the runtime), so `sam validate --lint`
accepts a misspelt action. It also cannot see values behind references. So this program lints template.yaml after the
transform, the plain template as it is published, and every template with all optional parts enabled and all references
resolved. It also compares our table of resource types with cfn-lint's schemas.
"""

import json
import subprocess
import sys
from pathlib import Path

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local import ROOT
from local.identifiers import REGION
from local.templates.plain import CODE_EXAMPLE, SOURCE, plain
from local.templates.resolve import EVERY_PART, load, resolved, transformed
from local.templates.resource_types import TYPES, ResourceType

PLAIN = "plain.yaml"


def write_templates(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (*folder.glob("*.json"), *folder.glob("*.yaml")):
        stale.unlink()
    (folder / PLAIN).write_text(plain(), encoding="utf-8")
    contents = {path: resolved(ROOT / path, parameters) for path, parameters in EVERY_PART.items()}
    contents["transformed.yaml"] = transformed(SOURCE)
    contents[PLAIN] = resolved(folder / PLAIN, {**EVERY_PART["template.yaml"], **CODE_EXAMPLE})
    # The plain template has no notes for checkov. Those of its source apply to the same resources.
    for name, resource in load(SOURCE)["Resources"].items():
        if "checkov" in (notes := resource.get("Metadata", {})):
            contents[PLAIN]["Resources"][name]["Metadata"] = {"checkov": notes["checkov"]}
    for path, content in contents.items():
        (folder / Path(path).with_suffix(".json").name).write_text(json.dumps(content, indent=2), encoding="utf-8")


def in_cfn_lint(name):
    """Our entry for a resource type, from the schema in cfn-lint."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, name).schema
    fixed = (path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", ()))
    return ResourceType(schema.get("tagging", {}).get("taggable", False), frozenset(fixed))


def main():
    folder = Path(sys.argv[1])
    write_templates(folder)
    wrong = [
        f"{name}: {ours}, cfn-lint {found}" for name, ours in TYPES.items() if (found := in_cfn_lint(name)) != ours
    ]
    if wrong:
        sys.exit("local/templates/resource_types.py differs from cfn-lint:\n" + "\n".join(wrong))
    lint = Path(sys.executable).with_name("cfn-lint")
    files = [*sorted(folder.glob("*.json")), folder / PLAIN]
    sys.exit(subprocess.run([lint, *sys.argv[2:], "--", *files], check=False).returncode)


if __name__ == "__main__":
    main()
