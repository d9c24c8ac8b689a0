"""`make compare` without the other tools: roles, our answers and their check."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema

from helpers import REPORT_SCHEMA
from local import ROOT


def test_compare_on_twenty_roles_finds_no_fault_of_ours(tmp_path):
    cli = ROOT / os.environ.get("CLI_BINARY", "target/debug/ecr-read-only")
    # Quick: `cargo test` has built the examples.
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--example", "comparison"], cwd=ROOT, check=True)
    verifier = Path(cli).parent / "examples" / "comparison"
    command = [sys.executable, "tools/compare/compare.py", "--roles", "20", "--probes", "5"]
    command += ["--folder", tmp_path, "--cli", cli, "--verifier", verifier]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    jsonschema.validate(json.loads((tmp_path / "generated" / "report.json").read_text()), REPORT_SCHEMA)
    assert "0 where the evaluator refuses a request of ours, 0 that we miss" in ran.stdout
    rows = [line.split() for line in ran.stdout.splitlines() if line.startswith("ecr-read-only check")]
    # Right, missed, too many, failed: on all roles, then on the ordinary ones.
    assert [row[3:6] for row in rows] == [["0", "0", "0"]] * 2
