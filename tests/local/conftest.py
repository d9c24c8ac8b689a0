"""Fixtures: the function's binary and the stand-in for AWS, most of them under cargo-lambda's Lambda emulator."""

import json
import os
import re
import signal

import pytest

from local.lab import events
from local.lab.lab import Lab
from local.measure.fault_table import Table
from local.templates.plain import plain


def pytest_configure():
    # Fixtures then stop their processes if the run is cancelled.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", 143))


@pytest.fixture(scope="session")
def plain_path(tmp_path_factory):
    """The plain template as a file."""
    path = tmp_path_factory.mktemp("plain") / "plain.yaml"
    path.write_text(plain(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def binary():
    return os.environ.get("FUNCTION_BINARY")


@pytest.fixture(scope="session")
def demo(binary):
    """A lab after the events of the demo. Tests only read it.

    `costs` has the names of the calls by event, `made` has all calls, `tokens` all result tokens.
    """
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
    """The fault table, with an account in which the triggers call every operation."""
    with Lab(binary, seeded=False, emulator=False) as lab:
        yield Table(lab)


@pytest.fixture(scope="session")
def seeded(binary):
    """A lab with the sample account, shared by all tests. Each test leaves the account unchanged."""
    with Lab(binary) as lab:
        yield lab


@pytest.fixture
def lab(seeded):
    """The shared lab without faults, with full pages and no recorded calls."""
    seeded.remove_faults()
    seeded.control("POST", "page-size", {"size": None})
    seeded.forget_calls()
    return seeded


@pytest.fixture
def rule(request):
    """A rule name that only this test uses, so that the rule's evaluations come from this test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-64:].strip("-")


@pytest.fixture
def fresh(binary):
    """A lab with an empty account for this test."""
    with Lab(binary, seeded=False) as lab:
        yield lab
