"""The demo prints what the pages show, stops all its processes, and reports failures."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import ROOT
from local.lab import account
from local.lab.lab import default_binary


@pytest.fixture
def start(binary, tmp_path):
    """Starts the demo with its temporary files in `tmp_path`."""
    running = []

    def start(*arguments, columns=None):
        command = [sys.executable, "-m", "local.demo", "--binary", str(binary or default_binary()), *arguments]
        # pytest-xdist sets COLUMNS.
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        environment |= {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
        environment |= {"COLUMNS": str(columns)} if columns else {}
        running.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def children(process):
    """The child processes of a demo, by their parent in /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == process.pid:
            found.append(int(stat.parent.name))
    return found


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("step", ["starting the stand-in for AWS", "events/01"])
def test_signal_stops_all_processes(start, tmp_path, number, code, step):
    demo = start()
    for line in demo.stderr:
        if step in line:
            break
    time.sleep(0.1)
    started = children(demo)
    demo.send_signal(number)
    demo.communicate(timeout=20)
    assert demo.returncode == code
    assert started and alive(started) == []
    assert list(tmp_path.iterdir()) == []


def test_function_that_cannot_start_shows_its_log(start, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho broken function\nexit 3\n")
    broken.chmod(0o755)
    demo = start("--binary", str(broken))
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "function ended with code 3" in errors and "broken function" in errors
    assert list(tmp_path.iterdir()) == [broken]


def lines(text):
    """The lines of an output, without indentation and with a fixed time."""
    return {re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line.strip()) for line in text.splitlines()}


def lines_on_pages():
    """The lines of the blocks that the pages show from a run of the demo."""
    pages = [page.read_text() for page in (ROOT / "docs").rglob("*.md")]
    blocks = [block for page in pages for block in re.findall(r"from `make demo`:\n\n```\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) > 1
    return set().union(*map(lines, blocks))


def test_demo_shows_roles_a_finding_and_a_notification(start, tmp_path):
    demo = start()
    shown, errors = demo.communicate(timeout=120)
    assert demo.returncode == 0, errors
    assert f"{len(account.ROLES)} of {len(account.ROLES)} roles got the expected verdict" in shown
    finding, notification = shown.split("findings in AWS Security Hub")[1].split("The notification for this role")
    for part in ("CRITICAL", "FAILED", "CIS", "batch-import-node", "all-but-iam"):
        assert part in finding
    role_id, link = account.role("batch-import-node").id, "https://console.aws.amazon.com/config/"
    for part in (role_id, "NON_COMPLIANT", "all-but-iam", link):
        assert part in notification
    new_role, new_node = shown.split("before and after a node group")[1].split("after the node group", 1)
    assert "NOT_APPLICABLE" in new_role and "no EKS cluster runs nodes with it" in new_role
    assert "NON_COMPLIANT" in new_node and "checkout-node can call" in new_node
    assert [line for line in lines_on_pages() if line not in lines(shown)] == []
    assert list(tmp_path.iterdir()) == []


def test_output_fits_80_columns_as_cards(start):
    shown, errors = start(columns=80).communicate(timeout=120)
    assert [line for line in shown.splitlines() if len(line) > 80] == [], errors
    assert "\n  shop-build-node\n    shop: node group build\n    NON_COMPLIANT\n" in shown
