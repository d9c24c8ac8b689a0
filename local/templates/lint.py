"""Lints what CloudFormation gets of our templates, and leaves it in a folder for others to check.

    python -m local.templates.lint FOLDER [CFN-LINT ARGUMENT ...]

cfn-lint leaves out checks in a template with the SAM transform (the IAM actions, patterns, a function's runtime), so a
misspelt action passes `sam validate --lint`; and behind a reference it sees no value. So template.yaml is linted once
more after the transform, and each template with every part of it on and all references resolved.
"""

import json
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.templates import resolve

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for stale in folder.glob("*.json"):
    stale.unlink()
contents = {path: resolve.resolved(ROOT / path, parameters) for path, parameters in resolve.EVERY_PART.items()}
contents["transformed.yaml"] = resolve.transformed(ROOT / "template.yaml")
for path, content in contents.items():
    (folder / Path(path).with_suffix(".json").name).write_text(json.dumps(content, indent=2), encoding="utf-8")
lint = Path(sys.executable).with_name("cfn-lint")
sys.exit(subprocess.run([lint, *sys.argv[2:], "--", *sorted(folder.glob("*.json"))], check=False).returncode)
