"""AWS Security Hub as a provider of findings sees it, BatchImportFindings and GetFindings, and BatchUpdateFindings, by
which people say what they think of a finding.

moto stores what it is sent, filters nothing and knows no BatchUpdateFindings. Here a finding is held to what the SDK's
model says of it, in its traits and in its prose, and to the rules of creating and updating. Every account has Security
Hub switched on in every region until `DisableSecurityHub` is called there.

Ours, because AWS does not document it: an update that is not later counts as imported; a field that an update leaves
out stays; findings come in the order in which they were first imported; the wording of refusals, of which AWS publishes
one ("Finding does not adhere to Amazon Finding Format"). AWS reserves ProductFields with the prefix `aws/` to itself
without saying what becomes of one: here it is refused, and those of Security Hub's own are there when a finding is read.
Of another account's product AWS may refuse the whole call; here the finding alone is.

Sources: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
         https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
         https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
"""

import json
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from dateutil.parser import isoparse
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.securityhub import urls
from moto.securityhub.models import SecurityHubBackend
from moto.securityhub.responses import SecurityHubResponse

from local.identifiers import ACCOUNT, REGION
from local.standin import model_constraints, pages

# 240 KB a finding, 6 MB a call, 10 attributes and 20 values in a filter.
LARGEST_FINDING, LARGEST_CALL = 240 * 1024, 6 * 1024 * 1024
MOST_ATTRIBUTES, MOST_VALUES = 10, 20
DEFAULT_PAGE = 100
SCHEMA = "2018-10-08"
NORMALIZED = {"INFORMATIONAL": 0, "LOW": 1, "MEDIUM": 40, "HIGH": 70, "CRITICAL": 90}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")
FIELD_NAME = re.compile(r"[A-Za-z0-9 .:+\\=@_/-]+")

# What a provider says in FindingProviderFields, and people by BatchUpdateFindings at the top.
PROVIDED = ("Confidence", "Criticality", "RelatedFindings", "Severity", "Types")
# What only people change once the finding is there.
PEOPLES = ("Note", "UserDefinedFields", "VerificationState", "Workflow")

# The filters known here, each with where its values stand in a finding.
FILTERS = {
    "ProductArn": lambda f: [f["ProductArn"]],
    "AwsAccountId": lambda f: [f["AwsAccountId"]],
    "Id": lambda f: [f["Id"]],
    "GeneratorId": lambda f: [f["GeneratorId"]],
    "Region": lambda f: [f["Region"]],
    "Title": lambda f: [f["Title"]],
    "RecordState": lambda f: [f["RecordState"]],
    "WorkflowStatus": lambda f: [f["Workflow"]["Status"]],
    "SeverityLabel": lambda f: [f["Severity"]["Label"]],
    "ComplianceStatus": lambda f: [f["Compliance"]["Status"]] if "Compliance" in f else [],
    "ResourceType": lambda f: [resource["Type"] for resource in f["Resources"]],
    "ResourceId": lambda f: [resource["Id"] for resource in f["Resources"]],
}
# Each comparison, and whether it has to hold for all of its values; of the others one is enough.
COMPARISONS = {
    "EQUALS": (str.__eq__, False),
    "PREFIX": (str.startswith, False),
    "NOT_EQUALS": (str.__ne__, True),
    "PREFIX_NOT_EQUALS": (lambda value, prefix: not value.startswith(prefix), True),
}


@dataclass
class Held:
    """A finding, and which of the provider's fields people have taken over."""

    finding: dict
    peoples: set = field(default_factory=set)


class Hub:
    """The findings of every account and region."""

    def __init__(self):
        self._lock = threading.Lock()
        self._held = {}
        self.failures = []

    def fail_next(self, count, code="InternalError"):
        """Makes the next BatchImportFindings report its first `count` findings as failed."""
        with self._lock:
            self.failures.append((count, code))

    def findings(self, account=ACCOUNT, region=REGION):
        """Every finding, archived ones too, in the order in which they came."""
        with self._lock:
            return [held.finding for held in self._held.get((account, region), {}).values()]

    def put(self, account, region, findings):
        """Stores findings and returns the errors of those that failed."""
        with self._lock:
            count, code = self.failures.pop(0) if self.failures else (0, None)
            errors = [_error(finding, code, "planted fault") for finding in findings[:count]]
            known = self._held.setdefault((account, region), {})
            for finding in findings[count:]:
                error = _fault(account, region, finding)
                if error:
                    errors.append(_error(finding, *error))
                    continue
                key = finding["ProductArn"], finding["Id"]
                if key not in known:
                    known[key] = Held(_created(region, finding))
                elif isoparse(finding["UpdatedAt"]) > isoparse(known[key].finding["UpdatedAt"]):
                    known[key] = _updated(known[key], finding)
            return errors

    def update(self, account, region, identifiers, changes):
        """What people say of findings; returns the identifiers that are not there."""
        with self._lock:
            known = self._held.get((account, region), {})
            missing = []
            for identifier in identifiers:
                held = known.get((identifier["ProductArn"], identifier["Id"]))
                if held is None:
                    missing.append(identifier)
                    continue
                said = {**changes, **({"Severity": _normalized(changes["Severity"])} if "Severity" in changes else {})}
                held.finding = {**held.finding, **said}
                held.peoples |= changes.keys() & set(PROVIDED)
            return missing


HUB = Hub()


def _error(finding, code, message):
    return {"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message}


def _fault(account, region, finding):
    """Why a finding cannot be imported, as code and message, or None."""
    partition = finding["ProductArn"].split(":")[1:2] or [""]
    product = f"arn:{partition[0]}:securityhub:{region}:{account}:product/{account}/default"
    if finding["AwsAccountId"] != account or finding["ProductArn"] != product:
        return (
            "InvalidAccess",
            f"Account {account} in {region} cannot import findings of {finding['ProductArn']} in {finding['AwsAccountId']}.",
        )
    found = next(_not_of_the_format(finding), None)
    return ("InvalidInput", f"Finding does not adhere to Amazon Finding Format. {found}.") if found else None


@cache
def _format():
    return (
        get_service_model("securityhub").operation_model("BatchImportFindings").input_shape.members["Findings"].member
    )


def _not_of_the_format(finding):
    yield from model_constraints.in_prose(_format(), finding, "data")
    if len(json.dumps(finding, ensure_ascii=False).encode()) > LARGEST_FINDING:
        yield f"data should NOT be larger than {LARGEST_FINDING} bytes"
    if finding["SchemaVersion"] != SCHEMA:
        yield f"data.SchemaVersion should be {SCHEMA}"
    if not 1 <= len(finding["Resources"]) <= 32:
        yield "data.Resources should have 1 to 32 items"
    for name in ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"):
        if name in finding and not TIMESTAMP.fullmatch(finding[name]):
            yield f"data.{name} should be a timestamp"
    provided = _provided(finding)
    if not provided.get("Types"):
        yield "data should have property Types"
    if not {"Label", "Normalized"} & provided.get("Severity", {}).keys():
        yield "data.Severity should have Label or Normalized"
    for name in finding.get("ProductFields", {}):
        if name.startswith("aws/") or not FIELD_NAME.fullmatch(name):
            yield f"data.ProductFields should NOT have the name {name}"


def _normalized(severity):
    """A severity with its label and its number: whichever is missing follows from the other."""
    if "Label" in severity:
        return {"Normalized": NORMALIZED[severity["Label"]], **severity}
    # The label of 0 is INFORMATIONAL, of 1 to 39 LOW, to 69 MEDIUM, to 89 HIGH, above it CRITICAL.
    return {"Label": [label for label, least in NORMALIZED.items() if severity["Normalized"] >= least][-1], **severity}


def _provided(finding):
    """What a provider says of its fields: where it says it twice, FindingProviderFields count."""
    said = {**finding, **finding.get("FindingProviderFields", {})}
    return {name: said[name] for name in PROVIDED if name in said}


def _created(region, finding):
    """A new finding: what FindingProviderFields say stands at the top as well."""
    provided = _provided(finding)
    return {
        "RecordState": "ACTIVE",
        "Workflow": {"Status": "NEW"},
        "WorkflowState": "NEW",
        **finding,
        **provided,
        "Severity": _normalized(provided["Severity"]),
        "FindingProviderFields": {**provided, "Severity": _providers(provided["Severity"])},
        **_of_security_hub(region, finding),
    }


def _providers(severity):
    """Severity in FindingProviderFields has a label and what the provider calls it, and no number."""
    return {name: value for name, value in _normalized(severity).items() if name in ("Label", "Original")}


def _of_security_hub(region, finding):
    """What Security Hub adds to every finding of the account's own product."""
    own = {"CompanyName": "Personal", "FindingId": f"{finding['ProductArn']}/{finding['Id']}", "ProductName": "Default"}
    return {
        "Region": region,
        "ProductName": own["ProductName"],
        "CompanyName": own["CompanyName"],
        "ProductFields": {
            **finding.get("ProductFields", {}),
            **{f"aws/securityhub/{name}": value for name, value in own.items()},
        },
    }


def _updated(held, finding):
    """The finding after its provider has sent it again."""
    before = held.finding
    provided = _provided(finding)
    at_the_top = {name: finding.get(name, provided[name]) for name in provided.keys() - held.peoples}
    if "Severity" in at_the_top:
        at_the_top["Severity"] = _normalized(at_the_top["Severity"])
    if "Severity" in provided:
        provided["Severity"] = _providers(provided["Severity"])
    sent = {name: value for name, value in finding.items() if name not in (*PROVIDED, *PEOPLES)}
    after = {
        **before,
        **sent,
        **at_the_top,
        "FindingProviderFields": {**before["FindingProviderFields"], **provided},
        **_of_security_hub(before["Region"], {**before, **sent}),
    }
    if before["Workflow"]["Status"] in ("NOTIFIED", "RESOLVED") and _is_new_again(before, after):
        after["Workflow"] = {"Status": "NEW"}
    return Held(after, held.peoples)


def _is_new_again(before, after):
    status = [finding.get("Compliance", {}).get("Status") for finding in (before, after)]
    states = before["RecordState"], after["RecordState"]
    return states == ("ARCHIVED", "ACTIVE") or (
        status[0] == "PASSED" and status[1] in ("FAILED", "WARNING", "NOT_AVAILABLE")
    )


def _subscribed(self):
    if not self.securityhub_backend.enabled:
        raise pages.Refusal(
            "InvalidAccessException", f"Account {self.current_account} is not subscribed to AWS Security Hub"
        )


def batch_import_findings(self):
    _subscribed(self)
    if len(self.body) > LARGEST_CALL:
        raise pages.Refusal("InvalidInputException", f"A call takes at most {LARGEST_CALL} bytes.")
    findings = self.params["Findings"]
    errors = HUB.put(self.current_account, self.region, findings)
    return ActionResult(
        {"FailedCount": len(errors), "SuccessCount": len(findings) - len(errors), "FailedFindings": errors}
    )


def batch_update_findings(self):
    _subscribed(self)
    changes = {name: value for name, value in self.params.items() if name in (*PROVIDED, *PEOPLES)}
    if "Note" in changes:
        changes["Note"] = {**changes["Note"], "UpdatedAt": datetime.now().astimezone().isoformat()}
    identifiers = self.params["FindingIdentifiers"]
    missing = HUB.update(self.current_account, self.region, identifiers, changes)
    unprocessed = [
        {"FindingIdentifier": each, "ErrorCode": "FindingNotFound", "ErrorMessage": "Finding not found"}
        for each in missing
    ]
    return ActionResult(
        {"ProcessedFindings": [each for each in identifiers if each not in missing], "UnprocessedFindings": unprocessed}
    )


def get_findings(self):
    _subscribed(self)
    asked = self.params.get("Filters") or {}
    if self.params.get("SortCriteria"):
        raise pages.Refusal("InvalidInputException", "The local AWS does not sort findings.")
    _check(asked)
    found, token = pages.page(
        [
            finding
            for finding in HUB.findings(self.current_account, self.region)
            if all(_matches(finding, *each) for each in asked.items())
        ],
        self.params.get("NextToken"),
        self.params.get("MaxResults") or DEFAULT_PAGE,
        "InvalidInputException",
    )
    return ActionResult({"Findings": found, "NextToken": token})


def _check(asked):
    """Refuses what AWS refuses, and what would be a filter at AWS and is not known here."""
    if len(asked) > MOST_ATTRIBUTES or any(len(values) > MOST_VALUES for values in asked.values()):
        raise pages.Refusal(
            "InvalidInputException",
            f"At most {MOST_ATTRIBUTES} attributes with {MOST_VALUES} values each can be filtered by.",
        )
    for attribute, values in asked.items():
        comparisons = {value.get("Comparison") for value in values}
        if attribute not in FILTERS or not comparisons <= COMPARISONS.keys():
            raise pages.Refusal("InvalidInputException", f"The local AWS does not filter {attribute} by {comparisons}.")
        if "EQUALS" in comparisons and comparisons & {"NOT_EQUALS", "PREFIX_NOT_EQUALS"}:
            raise pages.Refusal("InvalidInputException", f"EQUALS and its opposites cannot both filter {attribute}.")


def _matches(finding, attribute, values):
    """Of the filters that ask for a value one has to hold, of those that shut one out all."""
    held, wanted, unwanted = FILTERS[attribute](finding), [], []
    for value in values:
        compare, all_of_them = COMPARISONS[value["Comparison"]]
        holds = [compare(each, value["Value"]) for each in held]
        (unwanted if all_of_them else wanted).append(all(holds) if all_of_them else any(holds))
    return all(unwanted) and (any(wanted) or not wanted)


def complete():
    """Adds to and corrects moto's Security Hub."""
    original = SecurityHubBackend.__init__

    def switched_on(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.enable_security_hub()

    SecurityHubBackend.__init__ = switched_on
    urls.url_paths["{0}/findings/batchupdate$"] = SecurityHubResponse.dispatch
    for operation in (batch_import_findings, batch_update_findings, get_findings):
        setattr(SecurityHubResponse, operation.__name__, operation)
