"""Security Hub in the stand-in: refused findings, updates, workflow, filters and pages."""

import pytest

from helpers import error_code
from local.identifiers import ACCOUNT, OTHER_ACCOUNT, REGION

PRODUCT = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
MORNING, NOON = (f"2026-11-20T{hour}:00:00.000Z" for hour in ("08", "12"))


def finding(identity, **more):
    """A valid finding with the fields `more`. Fields with the value None are left out."""
    fields = {
        "SchemaVersion": "2018-10-08",
        "Id": identity,
        "ProductArn": PRODUCT,
        "GeneratorId": "of-these-tests",
        "AwsAccountId": ACCOUNT,
        "Types": ["Software and Configuration Checks"],
        "CreatedAt": MORNING,
        "UpdatedAt": MORNING,
        "Severity": {"Label": "HIGH"},
        "Title": "a title",
        "Description": "a description",
        "Resources": [{"Type": "Other", "Id": "a resource"}],
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


@pytest.fixture
def hub(lab):
    return lab.client("securityhub")


@pytest.fixture
def put(hub, rule):
    """Imports a finding with the test's name as id, and returns the stored finding."""

    def put(**more):
        answer = hub.batch_import_findings(Findings=[finding(rule, **more)])
        assert (answer["SuccessCount"], answer["FailedFindings"]) == (1, [])
        return stored_finding(hub, rule)

    return put


def stored_finding(hub, identity):
    (found,) = hub.get_findings(Filters={"Id": [{"Value": identity, "Comparison": "EQUALS"}]})["Findings"]
    return found


@pytest.mark.parametrize(
    "findings",
    [
        [],
        [finding(str(n)) for n in range(101)],
        [finding("a", Title=None)],
        [finding("a", Title=" ")],
        [finding("a", RecordState="GONE")],
        [finding("a", Compliance={"Status": "COMPLIANT"})],
        [finding("a", ProductFields={"a": ""})],
        [
            finding(str(n), Description="x" * 1000, ProductFields={str(i): "x" * 2000 for i in range(50)})
            for n in range(70)
        ],
    ],
    ids=[
        "none",
        "101 findings",
        "no title",
        "an empty title",
        "unknown state",
        "unknown status",
        "empty product field",
        "more than 6 MB",
    ],
)
def test_invalid_call_is_refused(hub, findings):
    assert error_code(hub.batch_import_findings, Findings=findings) == "InvalidInputException"


FAILED = {
    "InvalidInput": {
        "a long id": {"Id": "x" * 513},
        "a long title": {"Title": "x" * 257},
        "a long description": {"Description": "x" * 1025},
        "a long generator": {"GeneratorId": "x" * 513},
        "a long recommendation": {"Remediation": {"Recommendation": {"Text": "x" * 513}}},
        "many product fields": {"ProductFields": {str(n): "x" for n in range(51)}},
        "a long product field": {"ProductFields": {"x" * 129: "x"}},
        "a long value of a product field": {"ProductFields": {"x": "x" * 2049}},
        "a product field with a reserved prefix": {"ProductFields": {"aws/securityhub/FindingId": "x"}},
        "a product field with a bracket": {"ProductFields": {"action[0]": "x"}},
        "many requirements": {"Compliance": {"Status": "FAILED", "RelatedRequirements": [str(n) for n in range(33)]}},
        "no resource": {"Resources": []},
        "33 resources": {"Resources": [{"Type": "Other", "Id": str(n)} for n in range(33)]},
        "another schema": {"SchemaVersion": "2020-01-01"},
        "a date without time": {"UpdatedAt": "2026-11-20"},
        "no type": {"Types": []},
        "no severity": {"Severity": {}},
        "more than 240 KB": {"Resources": [{"Type": "Other", "Id": "x" * 250_000}]},
    },
    "InvalidAccess": {
        "another account": {"AwsAccountId": OTHER_ACCOUNT},
        "another account's product": {"ProductArn": PRODUCT.replace(ACCOUNT, OTHER_ACCOUNT)},
        "another region's product": {"ProductArn": PRODUCT.replace(REGION, "eu-west-1")},
        "an AWS product": {"ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/guardduty"},
    },
}


@pytest.mark.parametrize("code, wrong", [(code, wrong) for code, cases in FAILED.items() for wrong in cases.values()],
                         ids=[f"{name}: {code}" for code, cases in FAILED.items() for name in cases])  # fmt: skip
def test_invalid_finding_fails_alone(hub, rule, code, wrong):
    answer = hub.batch_import_findings(Findings=[finding("wrong", **wrong), finding(rule)])
    assert [failed["ErrorCode"] for failed in answer["FailedFindings"]] == [code]
    assert (answer["FailedCount"], answer["SuccessCount"]) == (1, 1)
    assert stored_finding(hub, rule)


def test_texts_of_maximum_length_are_imported(put):
    put(Title="é" * 256, Description="é" * 1024, ProductFields={"x" * 128: "é" * 2048})


def test_new_finding_gets_default_fields(put):
    found = put(ProductFields={"own": "field"})
    assert (found["RecordState"], found["Workflow"], found["Region"]) == ("ACTIVE", {"Status": "NEW"}, REGION)
    assert found["Severity"] == {"Label": "HIGH", "Normalized": 70}
    assert found["FindingProviderFields"] == {
        "Severity": {"Label": "HIGH"},
        "Types": ["Software and Configuration Checks"],
    }
    assert found["ProductFields"]["own"] == "field" and f"{PRODUCT}/{found['Id']}" in found["ProductFields"].values()


@pytest.mark.parametrize(
    "at, title",
    [(MORNING, "a title"), ("2026-11-20T07:59:59Z", "a title"), (NOON, "new"), ("2026-11-20T09:30:00+01:00", "new")],
)
def test_only_a_newer_update_changes_the_finding(put, at, title):
    put()
    assert put(UpdatedAt=at, Title="new")["Title"] == title


def test_field_missing_in_an_update_stays(put):
    put(SourceUrl="https://example.com")
    found = put(UpdatedAt=NOON)
    assert (found["SourceUrl"], found["UpdatedAt"]) == ("https://example.com", NOON)


def update_as_person(hub, identity, **changes):
    answer = hub.batch_update_findings(FindingIdentifiers=[{"Id": identity, "ProductArn": PRODUCT}], **changes)
    assert not answer["UnprocessedFindings"]


def test_import_keeps_the_changes_by_people(hub, put, rule):
    put()
    changes = {
        "Workflow": {"Status": "SUPPRESSED"},
        "Note": {"Text": "known", "UpdatedBy": "me"},
        "UserDefinedFields": {"a": "b"},
    }
    update_as_person(hub, rule, Severity={"Label": "LOW"}, **changes)
    found = put(
        UpdatedAt=NOON,
        Workflow={"Status": "NEW"},
        UserDefinedFields={"c": "d"},
        Severity={"Label": "CRITICAL"},
        Types=["TTPs"],
    )
    assert (found["Workflow"]["Status"], found["Note"]["Text"]) == ("SUPPRESSED", "known")
    assert found["UserDefinedFields"] == {"a": "b"}
    assert (found["Severity"]["Label"], found["FindingProviderFields"]["Severity"]["Label"]) == ("LOW", "CRITICAL")
    assert found["Types"] == found["FindingProviderFields"]["Types"] == ["TTPs"]


def test_update_of_an_unknown_finding_is_unprocessed(hub):
    answer = hub.batch_update_findings(
        FindingIdentifiers=[{"Id": "unknown", "ProductArn": PRODUCT}], Workflow={"Status": "NEW"}
    )
    assert len(answer["UnprocessedFindings"]) == 1


@pytest.mark.parametrize(
    "top, provided, first, then",
    [
        ("LOW", None, ("LOW", "LOW"), ("LOW", "LOW")),
        (None, "LOW", ("LOW", "LOW"), ("LOW", "LOW")),
        ("HIGH", "LOW", ("LOW", "LOW"), ("HIGH", "LOW")),
    ],
    ids=["only top-level", "only in FindingProviderFields", "in both"],
)
def test_severity_comes_from_both_places(put, top, provided, first, then):
    given = {
        "Severity": {"Label": top} if top else None,
        "FindingProviderFields": {"Severity": {"Label": provided}} if provided else None,
    }
    for at, expected in ((MORNING, first), (NOON, then)):
        found = put(UpdatedAt=at, **given)
        assert (found["Severity"]["Label"], found["FindingProviderFields"]["Severity"]["Label"]) == expected


ACTIVE_FAILED = {"RecordState": "ACTIVE", "Compliance": {"Status": "FAILED"}}
ARCHIVED_FAILED = {"RecordState": "ARCHIVED", "Compliance": {"Status": "FAILED"}}
ACTIVE_PASSED = {"RecordState": "ACTIVE", "Compliance": {"Status": "PASSED"}}


@pytest.mark.parametrize(
    "before, workflow, then, expected",
    [
        (ARCHIVED_FAILED, "RESOLVED", ACTIVE_FAILED, "NEW"),
        (ACTIVE_PASSED, "NOTIFIED", ACTIVE_FAILED, "NEW"),
        (ACTIVE_PASSED, "SUPPRESSED", ACTIVE_FAILED, "SUPPRESSED"),
        (ACTIVE_FAILED, "RESOLVED", ACTIVE_FAILED, "RESOLVED"),
        (ACTIVE_FAILED, "NOTIFIED", ACTIVE_PASSED, "NOTIFIED"),
        (ACTIVE_FAILED, "RESOLVED", ARCHIVED_FAILED, "RESOLVED"),
    ],
    ids=["active again", "failed again", "suppressed", "still failed", "now passed", "now archived"],
)
def test_workflow_is_reset_to_new(hub, put, rule, before, workflow, then, expected):
    put(**before)
    update_as_person(hub, rule, Workflow={"Status": workflow})
    assert put(UpdatedAt=NOON, **then)["Workflow"]["Status"] == expected


def test_filter_needs_all_attributes_to_match(hub, rule):
    states = ("ACTIVE", "ARCHIVED")
    hub.batch_import_findings(
        Findings=[finding(f"{rule}-{n}", GeneratorId=f"{rule}-{n % 3}", RecordState=states[n % 2]) for n in range(12)]
    )

    def matching(**filters):
        request = {
            name: [{"Comparison": comparison, "Value": value} for comparison, value in each]
            for name, each in filters.items()
        }
        request["Id"] = [{"Comparison": "PREFIX", "Value": f"{rule}-"}]
        return [f["Id"].removeprefix(f"{rule}-") for f in hub.get_findings(Filters=request)["Findings"]]

    assert len(matching()) == 12
    assert matching(RecordState=[("EQUALS", "ACTIVE")], GeneratorId=[("EQUALS", f"{rule}-0")]) == ["0", "6"]
    assert matching(
        GeneratorId=[("EQUALS", f"{rule}-0"), ("EQUALS", f"{rule}-1")], RecordState=[("EQUALS", "ARCHIVED")]
    ) == ["1", "3", "7", "9"]
    assert matching(GeneratorId=[("NOT_EQUALS", f"{rule}-0"), ("NOT_EQUALS", f"{rule}-1")]) == ["2", "5", "8", "11"]
    assert matching(AwsAccountId=[("EQUALS", OTHER_ACCOUNT)]) == []


def test_findings_are_paginated(hub, rule):
    for first in (0, 100):
        hub.batch_import_findings(Findings=[finding(f"{rule}-{n}") for n in range(first, first + 75)])
    request = {"Filters": {"Id": [{"Comparison": "PREFIX", "Value": f"{rule}-"}]}}
    pages = list(hub.get_paginator("get_findings").paginate(**request, PaginationConfig={"PageSize": 100}))
    assert [len(page["Findings"]) for page in pages] == [100, 50]
    assert len({f["Id"] for page in pages for f in page["Findings"]}) == 150
    assert "NextToken" not in pages[-1]


EQUALS, NOT = {"Comparison": "EQUALS", "Value": "a"}, {"Comparison": "NOT_EQUALS", "Value": "b"}


@pytest.mark.parametrize(
    "request_",
    [
        {"MaxResults": 101},
        {"NextToken": "unknown"},
        {"Filters": {"Id": [EQUALS] * 21}},
        {"Filters": {"Id": [EQUALS, NOT]}},
        {"Filters": {"Keyword": [{"Value": "a"}]}},
        {"Filters": {"Id": [{"Comparison": "LIKE", "Value": "a"}]}},
    ],
    ids=[
        "101 per page",
        "an unknown token",
        "21 values",
        "EQUALS and NOT_EQUALS",
        "an unsupported filter",
        "an unsupported comparison",
    ],
)
def test_invalid_get_findings_is_refused(hub, request_):
    assert error_code(hub.get_findings, **request_) == "InvalidInputException"


def test_findings_are_separate_by_region_and_account(lab, put, rule):
    put()
    assert rule in lab.findings()
    assert rule not in lab.findings(region="eu-west-1") and rule not in lab.findings(OTHER_ACCOUNT)


def test_disabled_security_hub_refuses_calls(lab):
    hub = lab.client("securityhub", region="eu-west-1")
    hub.disable_security_hub()
    try:
        assert error_code(hub.get_findings) == "InvalidAccessException"
        assert error_code(hub.batch_import_findings, Findings=[finding("a")]) == "InvalidAccessException"
    finally:
        hub.enable_security_hub()
    assert hub.get_findings()["Findings"] == []


def test_failed_findings_are_not_imported(lab, hub, rule):
    lab.control("POST", "faults", {"failed_findings": 1})
    answer = hub.batch_import_findings(Findings=[finding(f"{rule}-{n}") for n in range(2)])
    assert [failed["Id"] for failed in answer["FailedFindings"]] == [f"{rule}-0"]
    assert {identity for identity in lab.findings() if identity.startswith(rule)} == {f"{rule}-1"}
