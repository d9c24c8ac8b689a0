"""Lints the templates as CloudFormation receives them, and writes them to a folder for other tools.

    python -m local.templates.lint FOLDER [CFN-LINT ARGUMENT ...]

cfn-lint skips checks in templates with the SAM transform (IAM actions, patterns, the runtime), so `sam validate --lint`
accepts a misspelt action. It also cannot see values behind references. So this program lints template.yaml after the
transform, and every template with all optional parts enabled and all references resolved.
"""

import json
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.templates.resolve import EVERY_PART, resolved, transformed

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for stale in folder.glob("*.json"):
    stale.unlink()
contents = {path: resolved(ROOT / path, parameters) for path, parameters in EVERY_PART.items()}
contents["transformed.yaml"] = transformed(ROOT / "template.yaml")
for path, content in contents.items():
    (folder / Path(path).with_suffix(".json").name).write_text(json.dumps(content, indent=2), encoding="utf-8")
lint = Path(sys.executable).with_name("cfn-lint")
sys.exit(subprocess.run([lint, *sys.argv[2:], "--", *sorted(folder.glob("*.json"))], check=False).returncode)
