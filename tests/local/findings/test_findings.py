"""Findings in AWS Security Hub: what is imported, when it is archived, and what comes of it where Security Hub fails."""

import contextlib
import json
from datetime import datetime, timezone

import pytest
from botocore.session import get_session

from helpers import OTHER, TRUSTING, metrics, of_account
from local.identifiers import ACCOUNT, unique_id
from local.lab import account, events, seed
from local.lab.account import COMPLIANT, NON_COMPLIANT
from local.lab.lab import Lab
from local.standin import model_constraints

ON = {"SecurityHubFindings": "true"}
NODE, PUSHER = account.role("shop-web-node"), account.role("batch-worker-node")
NODES = {role.id: {COMPLIANT: "PASSED", NON_COMPLIANT: "FAILED"}[role.verdict] for role in account.ROLES if role.node}
BEFORE = "2026-11-19T08:00:00.000Z"
ENOUGH = 99  # more failures than there are attempts


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told(item, at=None):
    """What AWS Config tells of an item that it captured just now, or at another time."""
    at = at or now()
    return {**events.changed({**item, "configurationItemCaptureTime": at}), "notificationCreationTime": at}


def changed(role, parameters=None, at=None):
    return events.event(told(events.role_item(role), at), {**ON, **(parameters or {})})


def scheduled(parameters=None):
    return events.event(events.scheduled(now()), {**ON, **(parameters or {})})


def found(lab, rule, account_id=ACCOUNT):
    """A rule's findings by the id of the role."""
    of_rule = [f for f in lab.findings(account_id).values() if f["GeneratorId"] == f"{events.RULE}/{rule}"]
    return {f["Id"].rsplit("/", 1)[-1]: f for f in of_rule}


def states(lab, rule, account_id=ACCOUNT):
    return {
        identity: (f["RecordState"], f["Compliance"]["Status"]) for identity, f in found(lab, rule, account_id).items()
    }


def plant(lab, *findings, account_id=ACCOUNT):
    assert not lab.control("POST", "findings", {"account": account_id, "findings": findings})


def imports(lab):
    return [call["parameters"]["Findings"] for call in lab.calls() if call["operation"] == "BatchImportFindings"]


def asked_of_security_hub(lab):
    return [call["operation"] for call in lab.calls() if call["service"] == "securityhub"]


def send(lab, event, rule):
    answer = lab.send(event, rule)
    assert answer.ok, answer.error
    return answer


@contextlib.contextmanager
def policy_detached(lab, role, policy):
    iam = lab.client("iam")
    document = iam.get_role_policy(RoleName=role.name, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role.name, PolicyName=policy)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role.name, PolicyName=policy, PolicyDocument=json.dumps(document))


@pytest.mark.parametrize("parameters", [{}, {"SecurityHubFindings": "false"}], ids=["not said", "said"])
def test_where_it_is_off_security_hub_is_not_asked(lab, rule, parameters):
    for event in (
        events.event(events.scheduled(), parameters),
        events.event(events.changed(events.role_item(PUSHER)), parameters),
    ):
        send(lab, event, rule)
    assert asked_of_security_hub(lab) == []


def test_in_test_mode_security_hub_is_not_asked(lab, rule):
    assert lab.invoke({**changed(PUSHER), "configRuleName": rule, "resultToken": "TESTMODE"}).ok
    assert asked_of_security_hub(lab) == []


def test_a_role_that_can_do_more_than_read(lab, rule):
    """What somebody reads who opens the finding: which role, what it can do, by which statement, and what to change."""
    send(lab, changed(PUSHER), rule)
    (finding,) = found(lab, rule).values()
    assert finding["Id"] == f"{events.RULE}/{ACCOUNT}/{rule}/{PUSHER.id}"
    assert (finding["RecordState"], finding["Compliance"]["Status"], finding["Workflow"]["Status"]) == (
        "ACTIVE",
        "FAILED",
        "NEW",
    )
    assert any(
        "CIS" in requirement and "5.1.3" in requirement for requirement in finding["Compliance"]["RelatedRequirements"]
    )
    # It could give the repository away, which is worse than to write to it.
    assert finding["Severity"]["Label"] == finding["FindingProviderFields"]["Severity"]["Label"] == "CRITICAL"
    assert PUSHER.name in finding["Title"]
    for said in ("repository/batch/results", "OwnRepository", "ecr:", "batch"):
        assert said in finding["Description"], finding["Description"]
    advice = finding["Remediation"]["Recommendation"]
    assert "own-repository" in advice["Text"] and advice["Url"].startswith("https://docs.aws.amazon.com/")
    (resource,) = finding["Resources"]
    assert (resource["Type"], resource["Id"], resource["Partition"]) == ("AwsIamRole", PUSHER.arn, "aws")
    assert resource["Details"]["AwsIamRole"]["RoleId"] == PUSHER.id
    assert finding["UpdatedAt"] == finding["CreatedAt"] <= now()


def test_a_role_that_only_reads(lab, rule):
    send(lab, changed(NODE), rule)
    (finding,) = found(lab, rule).values()
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
def test_severity_is_of_the_worst_that_the_role_can_do(lab, rule, role, label):
    send(lab, changed(account.role(role)), rule)
    assert [f["Severity"]["Label"] for f in found(lab, rule).values()] == [label]


def test_a_schedule_imports_a_finding_of_each_node_role_and_archives_what_is_gone(lab, rule):
    plant(
        lab, events.finding(rule, "AROAGONE", at=BEFORE), events.finding(rule, account.role("ci-runner").id, at=BEFORE)
    )
    send(lab, scheduled(), rule)
    gone = {"AROAGONE", account.role("ci-runner").id}
    of_nodes = {identity: ("ACTIVE", status) for identity, status in NODES.items()}
    assert states(lab, rule) == of_nodes | dict.fromkeys(gone, ("ARCHIVED", "FAILED"))
    assert BEFORE == found(lab, rule)["AROAGONE"]["CreatedAt"] < found(lab, rule)["AROAGONE"]["UpdatedAt"]


def test_what_the_model_asks_of_findings_all_of_them_hold(lab, rule):
    """The local AWS refuses what breaks it; here it is asked of what was sent, whatever was answered."""
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


def test_names_and_conditions_of_any_length_are_cut_to_what_security_hub_takes(fresh):
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


def test_a_role_that_is_put_right_passes_under_the_same_id(lab, rule):
    send(lab, changed(PUSHER), rule)
    before = found(lab, rule)[PUSHER.id]
    with policy_detached(lab, PUSHER, "own-repository"):
        send(lab, changed(PUSHER), rule)
    after = found(lab, rule)[PUSHER.id]
    assert (after["Id"], after["CreatedAt"]) == (before["Id"], before["CreatedAt"]) and after["UpdatedAt"] > before[
        "UpdatedAt"
    ]
    assert (after["Compliance"]["Status"], after["Severity"]["Label"]) == ("PASSED", "INFORMATIONAL")
    send(lab, changed(PUSHER), rule)
    assert states(lab, rule) == {PUSHER.id: ("ACTIVE", "FAILED")}


GONE = {
    "deleted": lambda: events.event(told(events.deleted_role_item(PUSHER)), ON, left_scope=True),
    "out of the rule's scope": lambda: events.event(told(events.role_item(PUSHER)), ON, left_scope=True),
    "exempt by name": lambda: changed(PUSHER, {"ExemptRoles": PUSHER.name}),
    "of a cluster out of scope": lambda: changed(PUSHER, {"ClusterNames": "shop"}),
    "exempt, says the schedule": lambda: scheduled({"ExemptRoles": PUSHER.name}),
}


@pytest.mark.parametrize("event", GONE.values(), ids=GONE)
def test_the_finding_of_a_role_that_is_not_judged_any_more_is_archived_as_it_was(lab, rule, event):
    send(lab, changed(PUSHER), rule)
    before = found(lab, rule)[PUSHER.id]
    send(lab, event(), rule)
    after = found(lab, rule)[PUSHER.id]
    assert (
        after == {**before, "RecordState": "ARCHIVED", "UpdatedAt": after["UpdatedAt"]}
        and after["UpdatedAt"] > before["UpdatedAt"]
    )
    lab.forget_calls()
    send(lab, event(), rule)
    assert [finding["Id"] for findings in imports(lab) for finding in findings if finding["Id"] == after["Id"]] == []


def test_an_event_that_comes_late_archives_no_finding_of_later(lab, rule):
    """It says of the role what was once; the finding is of what is."""
    send(lab, changed(PUSHER), rule)
    send(lab, changed(PUSHER, {"ExemptRoles": PUSHER.name}, at=BEFORE), rule)
    assert states(lab, rule) == {PUSHER.id: ("ACTIVE", "FAILED")}


def test_of_a_role_that_never_was_a_nodes_nothing_is_imported(lab, rule):
    send(lab, changed(account.role("thumbnail-function")), rule)
    assert found(lab, rule) == {} and imports(lab) == []


def test_findings_of_other_rules_and_accounts_are_left_alone(lab, rule):
    mine = events.finding(rule, "AROAGONE", at=BEFORE)
    others = [
        events.finding(f"{rule}-2", "AROAGONE", at=BEFORE),
        {**events.finding(rule, "AROAGONE", at=BEFORE), "Id": f"another/{rule}", "GeneratorId": "another-product"},
    ]
    plant(lab, mine, *others)
    plant(lab, events.finding(rule, "AROAGONE", OTHER, at=BEFORE), account_id=OTHER)
    untouched = {f["Id"]: lab.findings()[f["Id"]] for f in others}, found(lab, rule, OTHER)
    send(lab, scheduled(), rule)
    assert states(lab, rule)["AROAGONE"][0] == "ARCHIVED"
    assert ({identity: lab.findings()[identity] for identity in untouched[0]}, found(lab, rule, OTHER)) == untouched


def test_a_second_schedule_changes_nothing_but_times(lab, rule):
    send(lab, scheduled(), rule)
    before = found(lab, rule)
    send(lab, scheduled(), rule)
    after = found(lab, rule)
    assert after == {
        identity: {**finding, "UpdatedAt": after[identity]["UpdatedAt"]} for identity, finding in before.items()
    }
    assert all(after[identity]["UpdatedAt"] > finding["UpdatedAt"] for identity, finding in before.items())


def test_what_people_say_of_a_finding_stays(lab, rule):
    send(lab, scheduled(), rule)
    finding = found(lab, rule)[PUSHER.id]
    identifier = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
    said = {
        "Workflow": {"Status": "SUPPRESSED"},
        "Note": {"Text": "known", "UpdatedBy": "me"},
        "Severity": {"Label": "LOW"},
    }
    lab.client("securityhub").batch_update_findings(FindingIdentifiers=[identifier], **said)
    send(lab, scheduled(), rule)
    after = found(lab, rule)[PUSHER.id]
    assert (after["Workflow"]["Status"], after["Note"]["Text"], after["Severity"]["Label"]) == (
        "SUPPRESSED",
        "known",
        "LOW",
    )
    assert after["UpdatedAt"] > finding["UpdatedAt"]


def test_more_findings_than_a_call_takes_and_more_than_a_page_has(fresh):
    names = [f"node-{n:03}" for n in range(101)]
    pushes = {"inline": {"push": account.document(account.allow("ecr:PutImage"))}}
    arns = {name: f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in names}
    fresh.control("POST", "entities", {
        "roles": [{"name": name, "trust": account.EC2, **pushes} for name in names],
        "clusters": [{"name": "large", "mode": "CONFIG_MAP", "node_groups": arns}],
    })  # fmt: skip
    fresh.new_token()
    for pages in (1, 2):
        fresh.forget_calls()
        send(fresh, scheduled(), events.RULE)
        assert sorted(map(len, imports(fresh))) == [1, 100]
        assert asked_of_security_hub(fresh).count("GetFindings") == pages
    assert states(fresh, events.RULE) == {unique_id("AROA", name): ("ACTIVE", "FAILED") for name in names}


def test_findings_that_fail_are_sent_again(lab, rule):
    lab.control("POST", "faults", {"failed_findings": 3})
    send(lab, scheduled(), rule)
    assert [len(findings) for findings in imports(lab)] == [len(NODES), 3]
    assert set(found(lab, rule)) == set(NODES)


def fails(lab, event, rule, *naming):
    """The invocation fails for the sake of Security Hub, and every verdict has been stored."""
    answer = lab.send(event, rule)
    assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
    for name in naming:
        assert name in answer.error, answer.error
    held = {identity: e["ComplianceType"] for identity, e in lab.evaluations(rule).items()}
    assert held == {role.id: role.verdict for role in account.ROLES if role.node}


@pytest.mark.parametrize(("code", "times"), [("InternalError", 4), ("InvalidAccess", 1), ("InvalidInput", 1)])
def test_findings_that_never_succeed_fail_the_invocation(lab, rule, code, times):
    """Sent again only where that can help."""
    for _ in range(ENOUGH):
        lab.control("POST", "faults", {"failed_findings": 1, "code": code})
    fails(lab, scheduled(), rule, "1 of", code)
    assert len(imports(lab)) == times
    assert len(found(lab, rule)) == len(NODES) - 1
    numbers = metrics(lab)
    assert (numbers["FindingsImported"], numbers["FindingsNotImported"]) == (len(NODES) - 1, 1)


@pytest.mark.parametrize("operation", ["GetFindings", "BatchImportFindings"])
def test_a_call_that_fails_fails_the_invocation_after_the_verdicts(lab, rule, operation):
    lab.control(
        "POST",
        "faults",
        {
            "service": "securityhub",
            "operation": operation,
            "code": "AccessDeniedException",
            "status": 403,
            "times": None,
        },
    )
    fails(lab, scheduled(), rule, operation, "AccessDenied")
    lab.control("DELETE", "faults")
    send(lab, scheduled(), rule)
    assert set(found(lab, rule)) == set(NODES)


def test_where_getfindings_is_throttled_an_event_tells_what_it_judged_and_leaves_archiving_to_the_schedule(lab, rule):
    send(lab, scheduled(), rule)
    lab.control("POST", "faults", {
        "service": "securityhub", "operation": "GetFindings", "code": "TooManyRequestsException", "status": 429, "times": None,
    })  # fmt: skip
    assert send(lab, changed(PUSHER), rule).payload["findingsImported"] == 1
    answer = send(lab, changed(NODE, {"ExemptRoles": NODE.name}), rule)
    assert (answer.payload["findingsArchived"], answer.payload["findingsLeftToSchedule"]) == (0, 1)
    assert states(lab, rule)[NODE.id] == ("ACTIVE", "PASSED")
    answer = lab.send(scheduled(), rule)
    assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
    lab.control("DELETE", "faults")
    send(lab, scheduled({"ExemptRoles": NODE.name}), rule)
    assert states(lab, rule)[NODE.id][0] == "ARCHIVED"


def test_a_role_that_its_trust_policy_rules_out_asks_nothing_of_security_hub(lab, rule):
    send(lab, changed(account.role("thumbnail-function")), rule)
    assert asked_of_security_hub(lab) == []


def test_where_time_runs_out_over_findings_the_verdicts_are_known(binary, rule):
    with Lab(binary, emulator=False) as lab:
        lab.control(
            "POST",
            "faults",
            {"service": "securityhub", "operation": "GetFindings", "kind": "slow", "seconds": 30, "times": None},
        )
        answer = lab.send(scheduled(), rule, seconds=8)
        assert answer.payload["errorType"] == "FindingsNotImported"
        assert "before the Lambda timeout" in answer.error
        held = {identity: e["ComplianceType"] for identity, e in lab.evaluations(rule).items()}
        assert held == {role.id: role.verdict for role in account.ROLES if role.node}
        numbers = metrics(lab)
        assert (numbers["RolesEvaluated"], numbers["FindingsNotImported"]) == (len(NODES), len(NODES))


def test_the_sdks_variable_for_security_hub_alone_counts_too(binary, rule):
    with Lab(binary, environment={"AWS_ENDPOINT_URL_SECURITYHUB": "http://127.0.0.1:1"}) as lab:
        answer = lab.send(changed(PUSHER), rule)
        assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
        assert asked_of_security_hub(lab) == []


def test_where_security_hub_is_not_switched_on_the_verdicts_are_stored(lab, rule):
    hub = lab.client("securityhub")
    hub.disable_security_hub()
    try:
        fails(lab, scheduled(), rule, "InvalidAccessException")
        answer = lab.send(changed(PUSHER), rule)
        assert not answer.ok and answer.payload["errorType"] == "FindingsNotImported"
    finally:
        hub.enable_security_hub()


def test_a_role_that_cannot_be_read_keeps_its_finding(lab, rule):
    send(lab, scheduled(), rule)
    before = found(lab, rule)
    fault = {"service": "iam", "operation": "GetRolePolicy", "code": "AccessDenied", "status": 403, "times": None}
    lab.control("POST", "faults", {**fault, "where": {"RoleName": PUSHER.name}})
    answer = lab.send(scheduled(), rule)
    assert answer.payload["errorType"] == "RolesUnreadable"
    after = found(lab, rule)
    assert {identity for identity in before if after[identity] == before[identity]} == {PUSHER.id}


def test_in_another_account_they_are_that_accounts(binary, rule):
    with Lab(binary, seeded=False, emulator=False) as lab:
        node = f"arn:aws:iam::{OTHER}:role/node"
        push = account.document(account.allow("ecr:PutImage"))
        roles = [{"name": "node", "trust": account.EC2, "inline": {"push": push}}, {"name": "audit", "trust": TRUSTING}]
        clusters = [{"name": "one", "mode": "CONFIG_MAP", "node_groups": {"a": node}}]
        lab.control("POST", "entities", {"account": OTHER, "roles": roles, "clusters": clusters})
        send(lab, of_account(OTHER, {**ON, "ExecutionRoleName": "audit"}), rule)
        (finding,) = found(lab, rule, OTHER).values()
        assert (finding["AwsAccountId"], finding["Resources"][0]["Id"], finding["Compliance"]["Status"]) == (
            OTHER,
            node,
            "FAILED",
        )
        assert found(lab, rule) == {}


def test_what_the_log_counts(lab, rule):
    plant(lab, events.finding(rule, "AROAGONE", at=BEFORE))
    assert send(lab, scheduled(), rule).payload["findingsArchived"] == 1
    numbers = metrics(lab)
    assert (numbers["FindingsImported"], numbers["FindingsNotImported"], numbers["ScheduledRuns"]) == (len(NODES), 0, 1)
    send(lab, changed(PUSHER), rule)
    assert (metrics(lab)["FindingsImported"], metrics(lab)["ScheduledRuns"]) == (1, 0)


def test_annotations_start_with_the_role_name(lab, rule):
    send(lab, scheduled(), rule)
    held = lab.evaluations(rule)
    for role in account.ROLES:
        if role.node:
            assert held[role.id]["Annotation"].startswith(f"{role.name} ")
