"""`tools/catalogue.py` on small made-up sources: which operations pass its check, and the file that it writes."""

import gzip
import json

import pytest

from tools.catalogue import Source, changes, faults, read_models, render

SENTENCE = "You must have the ecr:GetThing permission."
LISTED = {"operation": "ecr:ListParts", "checked_action": "ecr:GetThing", "sentence": SENTENCE}
UNNAMED = {"operation": "ecr:ListParts", "checked_action": None, "sentence": None}
GET_THING = {"name": "GetThing", "accessLevel": "Read", "resourceTypes": [{"name": "repository"}], "conditionKeys": []}
LIST_PARTS = {**GET_THING, "name": "ListParts"}


def without(field):
    return {name: value for name, value in LISTED.items() if name != field}


@pytest.mark.parametrize(
    ("actions", "text", "listed", "expected"),
    [
        ([GET_THING], f"Lists the parts. {SENTENCE}", [LISTED], []),
        ([GET_THING], "Lists the parts.", [UNNAMED], []),
        ([GET_THING, LIST_PARTS], "Lists the parts.", [], []),
        ([GET_THING], None, [], []),
        ([GET_THING], SENTENCE, [], ["ecr:ListParts is an API operation and no IAM action: read its documentation"]),
        ([GET_THING], None, [LISTED], ["ecr:ListParts is no API operation any more: remove it"]),
        ([GET_THING], None, [UNNAMED], ["ecr:ListParts is no API operation any more: remove it"]),
        ([GET_THING, LIST_PARTS], SENTENCE, [LISTED], ["ecr:ListParts is an IAM action now: remove it"]),
        ([GET_THING], "You need nothing.", [LISTED], ["ecr:ListParts: the model no longer has the sentence"]),
        (
            [GET_THING],
            "You need ecr:FetchThing.",
            [{**LISTED, "checked_action": "ecr:FetchThing", "sentence": "You need ecr:FetchThing."}],
            ["ecr:ListParts: ecr:FetchThing is no IAM action"],
        ),
        (
            [GET_THING],
            "You need it.",
            [{**LISTED, "sentence": "need it"}],
            ["ecr:ListParts: the sentence does not name ecr:GetThing"],
        ),
        ([GET_THING], SENTENCE, [{**LISTED, "sentence": None}], ["ecr:ListParts needs both"]),
        ([GET_THING], SENTENCE, [{**LISTED, "checked_action": None}], ["ecr:ListParts needs both"]),
        ([GET_THING], SENTENCE, [LISTED, LISTED], ["ecr:ListParts is listed twice"]),
        ([GET_THING], SENTENCE, [without("sentence")], ["ecr:ListParts has no `sentence`: add it"]),
        ([GET_THING], SENTENCE, [without("checked_action")], ["ecr:ListParts has no `checked_action`: add it"]),
        ([GET_THING], SENTENCE, [LISTED, without("operation")], ["entry 2 has no `operation`: add it"]),
        ([GET_THING], SENTENCE, [{**LISTED, "sentense": ""}], ["ecr:ListParts has the unknown field `sentense`"]),
        ([GET_THING], SENTENCE, [{**LISTED, "sentence": 7}], ["ecr:ListParts: `sentence` must be a text or null"]),
        ([GET_THING], SENTENCE, [{**LISTED, "operation": None}], ["entry 1: `operation` must be a text"]),
        ([GET_THING], SENTENCE, ["ecr:ListParts"], ["entry 1 must be an object"]),
        ([GET_THING], SENTENCE, LISTED, ["the file must hold a list"]),
    ],
)
def test_operation_without_action_must_be_listed(actions, text, listed, expected):
    operations = {"GetThing": "Gets.", **({} if text is None else {"ListParts": text})}
    found = faults({"ecr": actions}, {"ecr": operations}, listed)
    assert len(found) == len(expected), found
    for fault, start in zip(found, expected, strict=True):
        assert fault.startswith(start), fault


@pytest.fixture
def models(tmp_path):
    """A folder as `botocore/data`: `ecr` in two versions, the older one with a removed operation."""

    def write(service, version, operations, second):
        path = tmp_path / service / version / "service-2.json.gz"
        path.parent.mkdir(parents=True)
        model = {"operations": {name: {"documentation": text} for name, text in operations.items()}}
        path.write_bytes(gzip.compress(json.dumps(model).encode(), mtime=second))

    write("ecr", "2014-01-01", {"Removed": "x"}, 1_800_000_000)
    write(
        "ecr",
        "2015-09-21",
        {"ListParts": "<p>Lists &amp; more.</p> <note> <p>Needs  <code>ecr:GetThing</code>.</p> </note>"},
        1_795_204_472,
    )
    write("ecr-public", "2020-10-30", {}, 1_795_000_000)
    return tmp_path


def test_model_gives_text_without_markup_and_its_date(models):
    source = read_models(models, "9.9.9")
    assert source.date == "2026-11-20"
    assert source.by_service == {"ecr": {"ListParts": "Lists & more. Needs ecr:GetThing."}, "ecr-public": {}}


def test_model_without_a_date_is_refused(models):
    packed = models / "ecr" / "2015-09-21" / "service-2.json.gz"
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), mtime=0))
    with pytest.raises(SystemExit, match="no time"):
        read_models(models, "9.9.9")


def test_file_has_both_sources_and_no_unnamed_operation():
    actions = Source("0.1.202601021", "2026-01-02", {"ecr": [GET_THING], "ecr-public": []})
    operations = Source("9.9.9", "2026-01-03", {})
    text = render(actions, operations, [{**UNNAMED, "operation": "ecr:ListOthers"}, LISTED])
    assert 'CATALOGUE_DATE: &str = "2026-01-02"' in text
    assert 'OPERATIONS_SOURCE: &str = "botocore 9.9.9"' in text
    assert 'OPERATIONS_DATE: &str = "2026-01-03"' in text
    assert 'full_name: "ecr:ListParts", checked_action: "ecr:GetThing"' in text
    assert "ListOthers" not in text


def text_with(names, version="9.9.9"):
    actions = Source(version, "2026-01-02", {"ecr": [{**GET_THING, "name": name} for name in names], "ecr-public": []})
    return render(actions, Source(version, "2026-01-03", {}), [])


@pytest.mark.parametrize(
    "old, new, expected",
    [
        (text_with(["A", "B"]), text_with(["A", "B"], "9.9.10"), []),
        (text_with(["A"]), text_with(["A", "B"]), ["+ecr:B"]),
        (text_with(["A", "B"]), text_with(["B"]), ["-ecr:A"]),
        (text_with(["A"]), text_with(["A"]).replace("Level::Read", "Level::Write"), ["-ecr:A", "+ecr:A"]),
        (text_with(["A"]), text_with(["A"]).replace("&[]", '&["aws:tagkeys"]'), ["-ecr:A", "+ecr:A"]),
    ],
)
def test_changes_are_lines_of_the_tables_only(old, new, expected):
    assert [line[0] + line.split('"')[1] for line in changes(old, new)] == expected
