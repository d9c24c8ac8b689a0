"""The files in `events/` are what `local/lab/events.py` writes, and can be sent as they are."""

import json

import pytest

from local.lab import events

RULE = "sent-by-hand"


def test_files_are_up_to_date():
    files = {path.stem: path.read_text() for path in events.FOLDER.glob("*.json")}
    expected = {name: events.render(sample) for name, sample in events.samples().items()}
    assert files == expected, "run `python -m local.lab.events`"


@pytest.mark.parametrize("path", sorted(events.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_unchanged_file_stores_nothing(lab, path):
    lab.new_token(RULE)  # so that AWS Config knows the rule: a schedule reads its compliance
    answer = lab.invoke({**json.loads(path.read_text()), "configRuleName": RULE})
    assert answer.ok, answer.error
    puts = [call for call in lab.calls() if call["operation"] == "PutEvaluations"]
    assert puts and all(call["parameters"]["TestMode"] is True for call in puts)
    assert lab.evaluations(RULE) == {}
