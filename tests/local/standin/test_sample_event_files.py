"""The files in `events/` are those that `local/lab/events.py` writes, and can be sent by hand."""

import json

import pytest

from local.lab import events


def test_files_are_up_to_date():
    held = {path.stem: path.read_text() for path in events.FOLDER.glob("*.json")}
    assert held == {name: events.render(sample) for name, sample in events.samples().items()}, (
        "run `python -m local.lab.events`"
    )


@pytest.mark.parametrize("path", sorted(events.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_file_sent_as_it_is_stores_nothing(lab, path):
    answer = lab.invoke({**json.loads(path.read_text()), "configRuleName": lab_rule(lab)})
    assert answer.ok, answer.error
    puts = [call for call in lab.calls() if call["operation"] == "PutEvaluations"]
    assert puts and all(call["parameters"]["TestMode"] is True for call in puts)
    assert lab.evaluations(lab_rule(lab)) == {}


def lab_rule(lab):
    """A rule that AWS Config knows, since a schedule asks what it said before."""
    lab.new_token("sent-by-hand")
    return "sent-by-hand"
