"""The function's own binary, under cargo-lambda's Lambda emulator, on the local AWS of `local/`."""

import json
import os
import re
import signal

import pytest

from local.lab import events
from local.lab.lab import Lab
from local.measure.fault_table import Table


def pytest_configure():
    # So that a cancelled run leaves nothing behind: the fixtures stop what they started.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", 143))


@pytest.fixture(scope="session")
def binary():
    return os.environ.get("FUNCTION_BINARY")


@pytest.fixture(scope="session")
def demo(binary):
    """A lab after the demo's events; `costs` names the calls of each, `made` holds all of them whole, `tokens` all result
    tokens. Look, do not touch."""
    with Lab(binary) as lab:
        lab.costs, lab.made, lab.tokens = {}, [], set()
        for path in sorted(events.FOLDER.glob("*.json")):
            lab.forget_calls()
            answer = lab.send(json.loads(path.read_text()))
            assert answer.ok, f"{path.name}: {answer.error}\n{lab.function_log()}"
            calls = lab.calls()
            lab.made += calls
            lab.costs[path.stem] = [f"{c['service']}:{c['operation']}" for c in calls]
            lab.tokens |= {c["parameters"]["ResultToken"] for c in calls if c["operation"] == "PutEvaluations"}
        yield lab


@pytest.fixture(scope="session")
def table(binary):
    """The table of `local/measure/fault_table.py`: an account in which every operation is called, by one trigger or another."""
    with Lab(binary, seeded=False, emulator=False) as lab:
        yield Table(lab)


@pytest.fixture(scope="session")
def seeded(binary):
    """A lab with the seeded account. A test leaves the account as it was, and names a rule of its own."""
    with Lab(binary) as lab:
        yield lab


@pytest.fixture
def lab(seeded):
    """The seeded lab with nothing planted: no faults, whole pages, no calls counted."""
    seeded.control("DELETE", "faults")
    seeded.control("POST", "page-size", {"size": None})
    seeded.forget_calls()
    return seeded


@pytest.fixture
def rule(request):
    """A rule name of the test's own, so that what AWS Config holds for it is the test's alone."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-64:].strip("-")


@pytest.fixture
def fresh(binary):
    """A lab with an account of the test's own, with nothing in it."""
    with Lab(binary, seeded=False) as lab:
        yield lab
