"""AWS Security Hub: BatchImportFindings and GetFindings for finding providers, BatchUpdateFindings for people.

moto stores findings without checks, ignores filters and has no BatchUpdateFindings. This module checks findings against
the SDK's model, its constraints and its documentation text, and follows the rules for creating and updating findings.
Security Hub is enabled in every account and region until `DisableSecurityHub` is called there.

AWS does not document the following, so these are our choices:

- An update that is not newer counts as imported.
- A field that an update leaves out keeps its value.
- Findings are listed in the order of their first import.
- The text of errors. AWS publishes only "Finding does not adhere to Amazon Finding Format".
- AWS reserves ProductFields with the prefix `aws/`. Here a finding that has one is refused.
- A finding for another account's product is refused alone. AWS may refuse the whole call.

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

# Limits: 240 KB per finding, 6 MB per call, 10 attributes per filter, 20 values per attribute.
LARGEST_FINDING, LARGEST_CALL = 240 * 1024, 6 * 1024 * 1024
MOST_ATTRIBUTES, MOST_VALUES = 10, 20
DEFAULT_PAGE = 100
SCHEMA = "2018-10-08"
NORMALIZED = {"INFORMATIONAL": 0, "LOW": 1, "MEDIUM": 40, "HIGH": 70, "CRITICAL": 90}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")
FIELD_NAME = re.compile(r"[A-Za-z0-9 .:+\\=@_/-]+")

# Providers set these in FindingProviderFields. People set the top-level fields with BatchUpdateFindings.
PROVIDER_FIELDS = ("Confidence", "Criticality", "RelatedFindings", "Severity", "Types")
# Only people change these after the finding is created.
PEOPLE_FIELDS = ("Note", "UserDefinedFields", "VerificationState", "Workflow")

# The supported filters, each with its values in a finding.
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
# Each comparison, and whether it must hold for every value. For the others one value is enough.
COMPARISONS = {
    "EQUALS": (str.__eq__, False),
    "PREFIX": (str.startswith, False),
    "NOT_EQUALS": (str.__ne__, True),
    "PREFIX_NOT_EQUALS": (lambda value, prefix: not value.startswith(prefix), True),
}


@dataclass
class StoredFinding:
    """A finding, and the provider's fields that people have overridden."""

    finding: dict
    overridden: set = field(default_factory=set)


class Hub:
    """The findings of every account and region."""

    def __init__(self):
        self._lock = threading.Lock()
        self._findings = {}
        self.failures = []

    def fail_next(self, count, code="InternalError"):
        """Makes the next BatchImportFindings report its first `count` findings as failed."""
        with self._lock:
            self.failures.append((count, code))

    def findings(self, account=ACCOUNT, region=REGION):
        """Every finding, archived ones included, in the order of arrival."""
        with self._lock:
            return [stored.finding for stored in self._findings.get((account, region), {}).values()]

    def put(self, account, region, findings):
        """Stores findings and returns the errors of those that failed."""
        with self._lock:
            count, code = self.failures.pop(0) if self.failures else (0, None)
            errors = [_error(finding, code, "injected fault") for finding in findings[:count]]
            known = self._findings.setdefault((account, region), {})
            for finding in findings[count:]:
                error = _import_error(account, region, finding)
                if error:
                    errors.append(_error(finding, *error))
                    continue
                key = finding["ProductArn"], finding["Id"]
                if key not in known:
                    known[key] = StoredFinding(_created(region, finding))
                elif isoparse(finding["UpdatedAt"]) > isoparse(known[key].finding["UpdatedAt"]):
                    known[key] = _updated(known[key], finding)
            return errors

    def update(self, account, region, identifiers, changes):
        """Applies people's changes to findings. Returns the identifiers that do not exist."""
        with self._lock:
            known = self._findings.get((account, region), {})
            missing = []
            for identifier in identifiers:
                stored = known.get((identifier["ProductArn"], identifier["Id"]))
                if stored is None:
                    missing.append(identifier)
                    continue
                values = {
                    **changes,
                    **({"Severity": _normalized(changes["Severity"])} if "Severity" in changes else {}),
                }
                stored.finding = {**stored.finding, **values}
                stored.overridden |= changes.keys() & set(PROVIDER_FIELDS)
            return missing


HUB = Hub()


def _error(finding, code, message):
    return {"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message}


def _import_error(account, region, finding):
    """The code and message of the error that a finding causes, or None."""
    partition = finding["ProductArn"].split(":")[1:2] or [""]
    product = f"arn:{partition[0]}:securityhub:{region}:{account}:product/{account}/default"
    if finding["AwsAccountId"] != account or finding["ProductArn"] != product:
        return (
            "InvalidAccess",
            f"Account {account} in {region} cannot import findings of {finding['ProductArn']} "
            f"in {finding['AwsAccountId']}.",
        )
    violation = next(_format_violations(finding), None)
    return ("InvalidInput", f"Finding does not adhere to Amazon Finding Format. {violation}.") if violation else None


@cache
def _format():
    return (
        get_service_model("securityhub").operation_model("BatchImportFindings").input_shape.members["Findings"].member
    )


def _format_violations(finding):
    yield from model_constraints.documented_violations(_format(), finding, "data")
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
    """A severity with both label and number. The missing one is derived from the other."""
    if "Label" in severity:
        return {"Normalized": NORMALIZED[severity["Label"]], **severity}
    # 0 is INFORMATIONAL, 1 to 39 LOW, 40 to 69 MEDIUM, 70 to 89 HIGH, 90 to 100 CRITICAL.
    return {"Label": [label for label, least in NORMALIZED.items() if severity["Normalized"] >= least][-1], **severity}


def _provided(finding):
    """The provider's fields of a finding. FindingProviderFields take precedence over top-level fields."""
    fields = {**finding, **finding.get("FindingProviderFields", {})}
    return {name: fields[name] for name in PROVIDER_FIELDS if name in fields}


def _created(region, finding):
    """A new finding. The values of FindingProviderFields are copied to the top level."""
    provided = _provided(finding)
    return {
        "RecordState": "ACTIVE",
        "Workflow": {"Status": "NEW"},
        "WorkflowState": "NEW",
        **finding,
        **provided,
        "Severity": _normalized(provided["Severity"]),
        "FindingProviderFields": {**provided, "Severity": _provider_severity(provided["Severity"])},
        **_security_hub_fields(region, finding),
    }


def _provider_severity(severity):
    """A severity for FindingProviderFields, which has `Label` and `Original` but no number."""
    return {name: value for name, value in _normalized(severity).items() if name in ("Label", "Original")}


def _security_hub_fields(region, finding):
    """The fields that Security Hub adds to every finding of the account's default product."""
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


def _updated(stored, finding):
    """A stored finding after its provider has imported it again."""
    before = stored.finding
    provided = _provided(finding)
    top_level = {name: finding.get(name, provided[name]) for name in provided.keys() - stored.overridden}
    if "Severity" in top_level:
        top_level["Severity"] = _normalized(top_level["Severity"])
    if "Severity" in provided:
        provided["Severity"] = _provider_severity(provided["Severity"])
    sent = {name: value for name, value in finding.items() if name not in (*PROVIDER_FIELDS, *PEOPLE_FIELDS)}
    after = {
        **before,
        **sent,
        **top_level,
        "FindingProviderFields": {**before["FindingProviderFields"], **provided},
        **_security_hub_fields(before["Region"], {**before, **sent}),
    }
    if before["Workflow"]["Status"] in ("NOTIFIED", "RESOLVED") and _resets_workflow(before, after):
        after["Workflow"] = {"Status": "NEW"}
    return StoredFinding(after, stored.overridden)


def _resets_workflow(before, after):
    status = [finding.get("Compliance", {}).get("Status") for finding in (before, after)]
    states = before["RecordState"], after["RecordState"]
    return states == ("ARCHIVED", "ACTIVE") or (
        status[0] == "PASSED" and status[1] in ("FAILED", "WARNING", "NOT_AVAILABLE")
    )


def _check_enabled(self):
    if not self.securityhub_backend.enabled:
        raise pages.AwsError(
            "InvalidAccessException", f"Account {self.current_account} is not subscribed to AWS Security Hub"
        )


def batch_import_findings(self):
    _check_enabled(self)
    if len(self.body) > LARGEST_CALL:
        raise pages.AwsError("InvalidInputException", f"A call takes at most {LARGEST_CALL} bytes.")
    findings = self.params["Findings"]
    errors = HUB.put(self.current_account, self.region, findings)
    return ActionResult(
        {"FailedCount": len(errors), "SuccessCount": len(findings) - len(errors), "FailedFindings": errors}
    )


def batch_update_findings(self):
    _check_enabled(self)
    changes = {name: value for name, value in self.params.items() if name in (*PROVIDER_FIELDS, *PEOPLE_FIELDS)}
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
    _check_enabled(self)
    filters = self.params.get("Filters") or {}
    if self.params.get("SortCriteria"):
        raise pages.AwsError("InvalidInputException", "The stand-in does not sort findings.")
    _check_filters(filters)
    found, token = pages.page(
        [
            finding
            for finding in HUB.findings(self.current_account, self.region)
            if all(_matches(finding, *each) for each in filters.items())
        ],
        self.params.get("NextToken"),
        self.params.get("MaxResults") or DEFAULT_PAGE,
        "InvalidInputException",
    )
    return ActionResult({"Findings": found, "NextToken": token})


def _check_filters(filters):
    """Raises AwsError for filters that AWS refuses, and for filters that the stand-in does not support."""
    if len(filters) > MOST_ATTRIBUTES or any(len(values) > MOST_VALUES for values in filters.values()):
        raise pages.AwsError(
            "InvalidInputException",
            f"At most {MOST_ATTRIBUTES} attributes with {MOST_VALUES} values each can be filtered by.",
        )
    for attribute, values in filters.items():
        comparisons = {value.get("Comparison") for value in values}
        if attribute not in FILTERS or not comparisons <= COMPARISONS.keys():
            raise pages.AwsError("InvalidInputException", f"The stand-in does not filter {attribute} by {comparisons}.")
        if "EQUALS" in comparisons and comparisons & {"NOT_EQUALS", "PREFIX_NOT_EQUALS"}:
            raise pages.AwsError("InvalidInputException", f"EQUALS and its opposites cannot both filter {attribute}.")


def _matches(finding, attribute, values):
    """Whether a finding matches: at least one positive comparison, and every negative one."""
    fields, positive, negative = FILTERS[attribute](finding), [], []
    for value in values:
        compare, all_of_them = COMPARISONS[value["Comparison"]]
        holds = [compare(each, value["Value"]) for each in fields]
        (negative if all_of_them else positive).append(all(holds) if all_of_them else any(holds))
    return all(negative) and (any(positive) or not positive)


def extend_moto():
    """Extends and corrects moto's Security Hub."""
    original = SecurityHubBackend.__init__

    def enabled_from_the_start(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.enable_security_hub()

    SecurityHubBackend.__init__ = enabled_from_the_start
    urls.url_paths["{0}/findings/batchupdate$"] = SecurityHubResponse.dispatch
    for operation in (batch_import_findings, batch_update_findings, get_findings):
        setattr(SecurityHubResponse, operation.__name__, operation)
