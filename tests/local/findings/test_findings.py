"""Findings in AWS Security Hub: when they are imported and archived, and what happens if Security Hub fails."""

import contextlib
import json
from datetime import datetime, timezone

import pytest
from botocore.session import get_session

from helpers import assert_annotation, event_of_account, metrics, send
from local.identifiers import ACCOUNT, OTHER_ACCOUNT, unique_id
from local.lab import account, events, seed
from local.lab.account import COMPLIANT, NON_COMPLIANT
from local.lab.lab import Lab
from local.standin import model_constraints

ENABLED = {"SecurityHubFindings": "true"}
NODE, PUSHER = account.role("shop-web-node"), account.role("batch-worker-node")
NODE_VERDICTS = {role.id: role.verdict for role in account.ROLES if role.node}
# The expected compliance status of each node role's finding.
NODE_STATUS = {
    identity: {COMPLIANT: "PASSED", NON_COMPLIANT: "FAILED"}[verdict] for identity, verdict in NODE_VERDICTS.items()
}
OLD = "2026-11-19T08:00:00.000Z"
MORE_THAN_ATTEMPTS = 99
# The fields of a finding that Security Hub adds.
ADDED = ("Workflow", "WorkflowState", "Region", "ProductName", "CompanyName", "Severity", "Types")


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def item_changed(item, at=None):
    """The message for an item that AWS Config captured now, or at another time."""
    at = at or now()
    return {**events.changed({**item, "configurationItemCaptureTime": at}), "notificationCreationTime": at}


def changed(role, parameters=None, at=None):
    return events.event(item_changed(events.role_item(role), at), {**ENABLED, **(parameters or {})})


def scheduled(parameters=None):
    return events.event(events.scheduled(now()), {**ENABLED, **(parameters or {})})


def findings_of(lab, rule, account_id=ACCOUNT):
    """The findings of a rule, by role id."""
    of_rule = [f for f in lab.findings(account_id).values() if f["GeneratorId"] == f"{events.RULE}/{rule}"]
    return {f["Id"].rsplit("/", 1)[-1]: f for f in of_rule}


def states(lab, rule, account_id=ACCOUNT):
    """The record state and compliance status of each finding of a rule, by role id."""
    findings = findings_of(lab, rule, account_id)
    return {identity: (f["RecordState"], f["Compliance"]["Status"]) for identity, f in findings.items()}


def store(lab, *findings, account_id=ACCOUNT):
    assert not lab.control("POST", "findings", {"account": account_id, "findings": findings})


def imports(lab):
    """The findings of each BatchImportFindings call."""
    return [call["parameters"]["Findings"] for call in lab.calls() if call["operation"] == "BatchImportFindings"]


def security_hub_calls(lab):
    return [call["operation"] for call in lab.calls() if call["service"] == "securityhub"]


@contextlib.contextmanager
def without_inline_policy(lab, role, policy):
    iam = lab.client("iam")
    document = iam.get_role_policy(RoleName=role.name, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role.name, PolicyName=policy)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role.name, PolicyName=policy, PolicyDocument=json.dumps(document))


@pytest.mark.parametrize("parameters", [{}, {"SecurityHubFindings": "false"}], ids=["default", "false"])
def test_disabled_findings_make_no_calls(lab, rule, parameters):
    for event in (
        events.event(events.scheduled(), parameters),
        events.event(events.changed(events.role_item(PUSHER)), parameters),
    ):
        send(lab, event, rule)
    assert security_hub_calls(lab) == []


def test_test_mode_makes_no_security_hub_calls(lab, rule):
    assert lab.invoke({**changed(PUSHER), "configRuleName": rule, "resultToken": "TESTMODE"}).ok
    assert security_hub_calls(lab) == []


def test_non_compliant_role_has_a_complete_finding(lab, rule):
    """The finding names the role, the action, the statement and the remedy."""
    send(lab, changed(PUSHER), rule)
    (finding,) = findings_of(lab, rule).values()
    assert finding["Id"] == f"{events.RULE}/{ACCOUNT}/{rule}/{PUSHER.id}"
    status = finding["RecordState"], finding["Compliance"]["Status"], finding["Workflow"]["Status"]
    assert status == ("ACTIVE", "FAILED", "NEW")
    requirements = finding["Compliance"]["RelatedRequirements"]
    assert any("CIS" in requirement and "5.1.3" in requirement for requirement in requirements)
    # CRITICAL, because the role can give other accounts access to the repository.
    assert finding["Severity"]["Label"] == finding["FindingProviderFields"]["Severity"]["Label"] == "CRITICAL"
    assert_annotation(finding["Title"], PUSHER.name, "ecr:")
    for part in ("repository/batch/results", "OwnRepository", "ecr:", "batch"):
        assert part in finding["Description"], finding["Description"]
    advice = finding["Remediation"]["Recommendation"]
    assert "own-repository" in advice["Text"] and advice["Url"].startswith("https://docs.aws.amazon.com/")
    (resource,) = finding["Resources"]
    assert (resource["Type"], resource["Id"], resource["Partition"]) == ("AwsIamRole", PUSHER.arn, "aws")
    assert resource["Details"]["AwsIamRole"]["RoleId"] == PUSHER.id
    assert finding["UpdatedAt"] == finding["CreatedAt"] <= now()


def test_compliant_role_has_a_passed_finding(lab, rule):
    send(lab, changed(NODE), rule)
    (finding,) = findings_of(lab, rule).values()
    assert states(lab, rule) == {NODE.id: ("ACTIVE", "PASSED")}
    assert finding["Severity"]["Label"] == "INFORMATIONAL"


@pytest.mark.parametrize(
    "role, label",
    [
        ("shop-build-node", "HIGH"),
        ("batch-karpenter-node", "HIGH"),
        ("shop-gateway-node", "HIGH"),
        ("media-encode-node", "CRITICAL"),
    ],
)
def test_severity_is_that_of_the_worst_action(lab, rule, role, label):
    send(lab, changed(account.role(role)), rule)
    assert [f["Severity"]["Label"] for f in findings_of(lab, rule).values()] == [label]


def test_schedule_imports_node_roles_and_archives_others(lab, rule):
    store(lab, events.finding(rule, "AROAGONE", at=OLD), events.finding(rule, account.role("ci-runner").id, at=OLD))
    send(lab, scheduled(), rule)
    others = {"AROAGONE", account.role("ci-runner").id}
    of_nodes = {identity: ("ACTIVE", status) for identity, status in NODE_STATUS.items()}
    assert states(lab, rule) == of_nodes | dict.fromkeys(others, ("ARCHIVED", "FAILED"))
    assert OLD == findings_of(lab, rule)["AROAGONE"]["CreatedAt"] < findings_of(lab, rule)["AROAGONE"]["UpdatedAt"]


def test_sent_findings_satisfy_the_sdk_model(lab, rule):
    """The stand-in refuses violations. This test also checks findings that were sent and failed."""
    send(lab, scheduled(), rule)
    shape = get_session().get_service_model("securityhub").operation_model("BatchImportFindings").input_shape
    sent = imports(lab)
    assert sent and all(list(model_constraints.violations(shape, {"Findings": findings})) == [] for findings in sent)
    member = shape.members["Findings"].member
    assert [
        text
        for findings in sent
        for finding in findings
        for text in model_constraints.documented_violations(member, finding)
    ] == []


def test_long_names_and_conditions_are_shortened(fresh):
    long = "n" * 64
    conditions = {"StringLike": {f"aws:RequestTag/{'k' * 100}": ["é" * 200], "aws:UserAgent": "🦀" * 200}}
    statements = [
        account.allow(
            "ecr:CreateRepository", account.repository("r" * 200 + str(n)), sid="S" * 60 + str(n), Condition=conditions
        )
        for n in range(9)
    ]
    inline = {"p" * 100: account.document(*statements), "all": account.document(account.allow("*", sid="A" * 100))}
    role = account.Role(long, "", "", "", inline=inline, path="/" + "p" * 500 + "/")
    seed.create_role(fresh.client("iam"), role)
    eks = fresh.client("eks")
    seed.create_cluster(eks, account.Cluster("c" * 100, "CONFIG_MAP"))
    seed.create_node_group(eks, "c" * 100, "g" * 63, role.arn)
    assert fresh.send(scheduled()).ok
    assert states(fresh, events.RULE) == {role.id: ("ACTIVE", "FAILED")}


def test_corrected_role_passes_with_the_same_finding_id(lab, rule):
    send(lab, changed(PUSHER), rule)
    before = findings_of(lab, rule)[PUSHER.id]
    with without_inline_policy(lab, PUSHER, "own-repository"):
        send(lab, changed(PUSHER), rule)
    after = findings_of(lab, rule)[PUSHER.id]
    assert (after["Id"], after["CreatedAt"]) == (before["Id"], before["CreatedAt"])
    assert after["UpdatedAt"] > before["UpdatedAt"]
    assert (after["Compliance"]["Status"], after["Severity"]["Label"]) == ("PASSED", "INFORMATIONAL")
    send(lab, changed(PUSHER), rule)
    assert states(lab, rule) == {PUSHER.id: ("ACTIVE", "FAILED")}


NO_LONGER_EVALUATED = {
    "deleted": lambda: events.event(item_changed(events.deleted_role_item(PUSHER)), ENABLED, left_scope=True),
    "out of the rule's scope": lambda: events.event(item_changed(events.role_item(PUSHER)), ENABLED, left_scope=True),
    "exempt by name": lambda: changed(PUSHER, {"ExemptRoles": PUSHER.name}),
    "its cluster is out of scope": lambda: changed(PUSHER, {"ClusterNames": "shop"}),
    "exempt in a schedule": lambda: scheduled({"ExemptRoles": PUSHER.name}),
}


@pytest.mark.parametrize("event", NO_LONGER_EVALUATED.values(), ids=NO_LONGER_EVALUATED)
def test_finding_of_unevaluated_role_is_archived_once(lab, rule, event):
    send(lab, changed(PUSHER), rule)
    before = findings_of(lab, rule)[PUSHER.id]
    answer = send(lab, event(), rule)
    assert (answer.payload["findingsArchived"], answer.payload["findingsLeftToSchedule"]) == (0, 1)
    assert metrics(lab)["FindingsLeftToSchedule"] == 1
    assert findings_of(lab, rule)[PUSHER.id] == before
    # AWS Config has NOT_APPLICABLE now, so a schedule archives the finding.
    exempt = scheduled({"ExemptRoles": PUSHER.name})
    assert send(lab, exempt, rule).payload["findingsArchived"] == 1
    after = findings_of(lab, rule)[PUSHER.id]
    description = f"{PUSHER.name} is exempt: the parameter ExemptRoles names it. {before['Description']}"
    changes = {"RecordState": "ARCHIVED", "UpdatedAt": after["UpdatedAt"], "Description": description}
    assert after == {**before, **changes}
    assert after["UpdatedAt"] > before["UpdatedAt"]
    lab.forget_calls()
    send(lab, exempt, rule)
    assert imports(lab) == []


@pytest.mark.parametrize("event", NO_LONGER_EVALUATED.values(), ids=NO_LONGER_EVALUATED)
def test_result_token_of_another_rule_archives_no_finding(lab, rule, event):
    """Its verdicts belong to the other rule. So AWS Config keeps this rule's verdicts, which keep the findings."""
    send(lab, scheduled(), rule)
    before = findings_of(lab, rule)
    for forged in (event(), scheduled({"ExemptRoles": "*"}), scheduled({"ExemptRoles": "*"})):
        token = lab.new_token(f"{rule}-2")
        assert lab.invoke({**forged, "configRuleName": rule, "resultToken": token}).ok
    assert findings_of(lab, rule) == before


def test_late_event_archives_no_newer_finding(lab, rule):
    send(lab, changed(PUSHER), rule)
    send(lab, changed(PUSHER, {"ExemptRoles": PUSHER.name}, at=OLD), rule)
    assert states(lab, rule) == {PUSHER.id: ("ACTIVE", "FAILED")}


def test_role_that_was_never_a_node_role_has_no_finding(lab, rule):
    send(lab, changed(account.role("thumbnail-function")), rule)
    assert findings_of(lab, rule) == {} and security_hub_calls(lab) == []


def test_findings_of_other_rules_and_accounts_stay(lab, rule):
    own = events.finding(rule, "AROAGONE", at=OLD)
    others = [
        events.finding(f"{rule}-2", "AROAGONE", at=OLD),
        {**events.finding(rule, "AROAGONE", at=OLD), "Id": f"another/{rule}", "GeneratorId": "another-product"},
    ]
    store(lab, own, *others)
    store(lab, events.finding(rule, "AROAGONE", OTHER_ACCOUNT, at=OLD), account_id=OTHER_ACCOUNT)
    before = {f["Id"]: lab.findings()[f["Id"]] for f in others}, findings_of(lab, rule, OTHER_ACCOUNT)
    send(lab, scheduled(), rule)
    assert states(lab, rule)["AROAGONE"][0] == "ARCHIVED"
    assert (
        {identity: lab.findings()[identity] for identity in before[0]},
        findings_of(lab, rule, OTHER_ACCOUNT),
    ) == before


def test_three_schedules_without_a_change_import_nothing(lab, rule):
    send(lab, scheduled(), rule)
    before = findings_of(lab, rule)
    lab.forget_calls()
    for _ in range(3):
        answer = send(lab, scheduled(), rule)
        assert (answer.payload["findingsImported"], answer.payload["findingsUnchanged"]) == (0, len(NODE_STATUS))
    assert findings_of(lab, rule) == before and imports(lab) == []


# What somebody else has written over a finding, in a field that only an import writes.
OVERWRITTEN = {
    "title": {"Title": "nothing to see"},
    "status": {"Compliance": {"Status": "PASSED"}},
    "requirement": {"Compliance": {"Status": "FAILED", "RelatedRequirements": ["another"]}},
    "severity of the provider": {"FindingProviderFields": {"Severity": {"Label": "LOW"}, "Types": ["Effects"]}},
    "remediation": {"Remediation": {"Recommendation": {"Text": "nothing", "Url": "https://example.com/"}}},
    "resource": {"Resources": [{"Type": "Other", "Id": PUSHER.arn}]},
    "a product field": {"ProductFields": {"Action": "none"}},
}


@pytest.mark.parametrize("changes", OVERWRITTEN.values(), ids=OVERWRITTEN)
def test_overwritten_finding_is_imported_again(lab, rule, changes):
    send(lab, scheduled(), rule)
    before = findings_of(lab, rule)
    written = {name: value for name, value in before[PUSHER.id].items() if name not in ADDED}
    fields = {name: value for name, value in written["ProductFields"].items() if not name.startswith("aws/")}
    store(lab, {**written, "ProductFields": fields, **changes, "UpdatedAt": now()})
    assert findings_of(lab, rule)[PUSHER.id] != before[PUSHER.id]
    assert send(lab, scheduled(), rule).payload["findingsImported"] == 1
    after = findings_of(lab, rule)
    assert after == {**before, PUSHER.id: {**before[PUSHER.id], "UpdatedAt": after[PUSHER.id]["UpdatedAt"]}}


def test_changes_by_people_stay(lab, rule):
    send(lab, scheduled(), rule)
    finding = findings_of(lab, rule)[PUSHER.id]
    identifier = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
    changes = {
        "Workflow": {"Status": "SUPPRESSED"},
        "Note": {"Text": "known", "UpdatedBy": "me"},
        "Severity": {"Label": "LOW"},
    }
    lab.client("securityhub").batch_update_findings(FindingIdentifiers=[identifier], **changes)
    send(lab, scheduled(), rule)
    after = findings_of(lab, rule)[PUSHER.id]
    assert {name: after[name] | changes[name] for name in changes} == {name: after[name] for name in changes}
    assert after["UpdatedAt"] == finding["UpdatedAt"], "people's changes are no reason to import it"


def test_many_findings_take_several_calls_and_pages(fresh):
    names = [f"node-{n:03}" for n in range(101)]
    pushes = {"inline": {"push": account.document(account.allow("ecr:PutImage"))}}
    arns = {name: f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in names}
    fresh.control("POST", "entities", {
        "roles": [{"name": name, "trust": account.EC2, **pushes} for name in names],
        "clusters": [{"name": "large", "mode": "CONFIG_MAP", "node_groups": arns}],
    })  # fmt: skip
    fresh.new_token()
    for pages, imported in ((1, [1, 100]), (2, [])):
        fresh.forget_calls()
        send(fresh, scheduled(), events.RULE)
        assert sorted(map(len, imports(fresh))) == imported
        assert security_hub_calls(fresh).count("GetFindings") == pages
    assert states(fresh, events.RULE) == {unique_id("AROA", name): ("ACTIVE", "FAILED") for name in names}


def test_failed_findings_are_sent_again(lab, rule):
    lab.control("POST", "faults", {"failed_findings": 3})
    send(lab, scheduled(), rule)
    assert [len(findings) for findings in imports(lab)] == [len(NODE_STATUS), 3]
    assert set(findings_of(lab, rule)) == set(NODE_STATUS)


def assert_only_findings_fail(lab, event, rule, *parts):
    """The invocation fails because of Security Hub. The error has all `parts`, and every verdict is stored."""
    answer = lab.send(event, rule)
    assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
    for part in parts:
        assert part in answer.error, answer.error
    assert lab.verdicts(rule) == NODE_VERDICTS


@pytest.mark.parametrize(("code", "times"), [("InternalError", 4), ("InvalidAccess", 1), ("InvalidInput", 1)])
def test_finding_that_always_fails_fails_the_invocation(lab, rule, code, times):
    """The function sends a finding again only after a temporary error."""
    for _ in range(MORE_THAN_ATTEMPTS):
        lab.control("POST", "faults", {"failed_findings": 1, "code": code})
    assert_only_findings_fail(lab, scheduled(), rule, "1 of", code)
    assert len(imports(lab)) == times
    assert len(findings_of(lab, rule)) == len(NODE_STATUS) - 1
    numbers = metrics(lab)
    assert (numbers["FindingsImported"], numbers["FindingsNotImported"]) == (len(NODE_STATUS) - 1, 1)


def test_throttled_get_findings_imports_and_defers_archiving(lab, rule):
    send(lab, scheduled(), rule)
    lab.inject_fault("securityhub", "GetFindings", code="TooManyRequestsException", status=429, times=None)
    assert send(lab, changed(PUSHER), rule).payload["findingsImported"] == 1
    answer = send(lab, changed(NODE, {"ExemptRoles": NODE.name}), rule)
    assert (answer.payload["findingsArchived"], answer.payload["findingsLeftToSchedule"]) == (0, 1)
    assert states(lab, rule)[NODE.id] == ("ACTIVE", "PASSED")
    lab.remove_faults()
    send(lab, scheduled({"ExemptRoles": NODE.name}), rule)
    assert states(lab, rule)[NODE.id][0] == "ARCHIVED"


def test_findings_out_of_time_leave_the_verdicts_stored(binary, rule):
    with Lab(binary, emulator=False) as lab:
        lab.inject_fault("securityhub", "GetFindings", kind="slow", seconds=30, times=None)
        answer = lab.send(scheduled(), rule, seconds=8)
        assert answer.payload["errorType"] == "FindingsNotImported"
        assert "before the Lambda timeout" in answer.error
        assert lab.verdicts(rule) == NODE_VERDICTS
        numbers = metrics(lab)
        assert (numbers["RolesEvaluated"], numbers["FindingsNotImported"]) == (len(NODE_STATUS), len(NODE_STATUS))


def test_endpoint_variable_for_security_hub_is_used(binary, rule):
    with Lab(binary, environment={"AWS_ENDPOINT_URL_SECURITYHUB": "http://127.0.0.1:1"}) as lab:
        answer = lab.send(changed(PUSHER), rule)
        assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
        assert security_hub_calls(lab) == []


def test_disabled_security_hub_leaves_the_verdicts_stored(lab, rule):
    hub = lab.client("securityhub")
    hub.disable_security_hub()
    try:
        assert_only_findings_fail(lab, scheduled(), rule, "InvalidAccessException")
        answer = lab.send(changed(PUSHER), rule)
        assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
    finally:
        hub.enable_security_hub()


@pytest.mark.parametrize("operation", ["GetFindings", "BatchImportFindings"])
def test_denied_security_hub_call_says_what_to_do(lab, rule, operation):
    lab.inject_fault("securityhub", operation, code="AccessDeniedException", status=403, times=None)
    try:
        assert_only_findings_fail(lab, scheduled(), rule, operation, "AccessDeniedException", "of the member role")
    finally:
        lab.remove_faults()


def test_unreadable_role_keeps_its_finding(lab, rule):
    send(lab, scheduled(), rule)
    before = findings_of(lab, rule)
    denied = {"code": "AccessDenied", "status": 403, "times": None, "where": {"RoleName": PUSHER.name}}
    lab.inject_fault("iam", "GetRolePolicy", **denied)
    answer = lab.send(scheduled(), rule)
    assert answer.payload["errorType"] == "RolesUnreadable"
    assert findings_of(lab, rule) == before


def test_findings_for_another_account_are_in_that_account(binary, rule):
    with Lab(binary, seeded=False, emulator=False) as lab:
        node = f"arn:aws:iam::{OTHER_ACCOUNT}:role/node"
        push = account.document(account.allow("ecr:PutImage"))
        roles = [
            {"name": "node", "trust": account.EC2, "inline": {"push": push}},
            {"name": "audit", "trust": account.ACCOUNT_TRUST},
        ]
        clusters = [{"name": "one", "mode": "CONFIG_MAP", "node_groups": {"a": node}}]
        lab.control("POST", "entities", {"account": OTHER_ACCOUNT, "roles": roles, "clusters": clusters})
        send(lab, event_of_account(OTHER_ACCOUNT, {**ENABLED, "ExecutionRoleName": "audit"}), rule)
        (finding,) = findings_of(lab, rule, OTHER_ACCOUNT).values()
        assert (finding["AwsAccountId"], finding["Resources"][0]["Id"]) == (OTHER_ACCOUNT, node)
        assert finding["Compliance"]["Status"] == "FAILED"
        assert findings_of(lab, rule) == {}


def test_metrics_count_findings(lab, rule):
    store(lab, events.finding(rule, "AROAGONE", at=OLD))
    assert send(lab, scheduled(), rule).payload["findingsArchived"] == 1
    numbers = metrics(lab)
    assert (numbers["FindingsImported"], numbers["FindingsNotImported"], numbers["ScheduledRuns"]) == (
        len(NODE_STATUS),
        0,
        1,
    )
    send(lab, changed(PUSHER), rule)
    assert (metrics(lab)["FindingsImported"], metrics(lab)["ScheduledRuns"]) == (0, 0)
