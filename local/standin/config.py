"""The operations of AWS Config that a custom rule calls: PutEvaluations and GetComplianceDetailsByConfigRule.

moto accepts evaluations only in test mode and cannot return compliance. This module stores the last evaluation of each
resource, NOT_APPLICABLE included, so that tests can read it. A change of compliance becomes an EventBridge event.
"""

import itertools
import secrets
import threading
from datetime import datetime, timezone

from moto.config.models import config_backends
from moto.config.responses import ConfigResponse
from moto.core.responses import ActionResult

from local.identifiers import ACCOUNT
from local.standin import eventbridge, pages

# The default page size (API reference of GetComplianceDetailsByConfigRule).
DEFAULT_LIMIT = 10
# The compliance types that PutEvaluations accepts (its API reference).
STORED = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE")


class Evaluations:
    """The issued result tokens, and the last evaluation of each resource by each rule."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules_by_token = {}
        self._by_rule = {}
        self._order = itertools.count()
        self.failures = []

    def new_token(self, rule, account=ACCOUNT):
        """A new result token for one account's rule. AWS Config puts one into each event."""
        with self._lock:
            token = secrets.token_urlsafe(48)
            self._rules_by_token[token] = account, rule
            self._by_rule.setdefault((account, rule), {})
            return token

    def fail_next(self, count):
        """Makes the next PutEvaluations report its first `count` evaluations as failed."""
        with self._lock:
            self.failures.append(count)

    def put(self, account, token, evaluations, test_mode):
        """Stores the evaluations. Returns the failed ones, and the changes as (rule, old evaluation or None, new one).

        Raises AwsError if the token is unknown or belongs to another account.
        """
        with self._lock:
            if any(e["ComplianceType"] not in STORED for e in evaluations):
                raise pages.AwsError(
                    "InvalidParameterValueException",
                    "PutEvaluations accepts only the compliance types " + ", ".join(STORED) + ".",
                )
            if test_mode:
                return [], []
            if self._rules_by_token.get(token, (None,))[0] != account:
                raise pages.AwsError("InvalidResultTokenException", "The resultToken provided is invalid")
            failed = self.failures.pop(0) if self.failures else 0
            rule = self._rules_by_token[token][1]
            stored, changes = self._by_rule[account, rule], []
            for evaluation in evaluations[failed:]:
                key = evaluation["ComplianceResourceType"], evaluation["ComplianceResourceId"]
                before = stored.pop(key, None)
                stored[key] = {
                    **evaluation,
                    "ResultRecordedTime": datetime.now(timezone.utc),
                    "Arrival": next(self._order),
                }
                if before is None or before["ComplianceType"] != evaluation["ComplianceType"]:
                    changes.append((rule, before, stored[key]))
            return evaluations[:failed], changes

    def of(self, rule, account=ACCOUNT):
        """All evaluations of `rule`, in the order of arrival."""
        with self._lock:
            if (account, rule) not in self._by_rule:
                raise pages.AwsError(
                    "NoSuchConfigRuleException", f"The ConfigRule '{rule}' provided in the request is invalid."
                )
            return list(self._by_rule[account, rule].values())

    def knows(self, rule, account):
        with self._lock:
            return (account, rule) in self._by_rule


EVALUATIONS = Evaluations()


def put_evaluations(self):
    evaluations, test_mode = self.params.get("Evaluations", []), self.params.get("TestMode", False)
    failed, changes = EVALUATIONS.put(self.current_account, self.params["ResultToken"], evaluations, test_mode)
    for change in changes:
        eventbridge.send(
            self.current_account, self.region, eventbridge.compliance_change(self.current_account, self.region, *change)
        )
    return ActionResult({"FailedEvaluations": failed})


def get_compliance_details_by_config_rule(self):
    rule = self.params["ConfigRuleName"]
    known = config_backends[self.current_account][self.region].config_rules
    never_evaluated = rule in known and not EVALUATIONS.knows(rule, self.current_account)
    stored = [] if never_evaluated else EVALUATIONS.of(rule, self.current_account)
    wanted = self.params.get("ComplianceTypes") or ["COMPLIANT", "NON_COMPLIANT"]
    if "INSUFFICIENT_DATA" in wanted:
        raise pages.AwsError("InvalidParameterValueException", "INSUFFICIENT_DATA cannot be used to filter results.")
    found, token = pages.page(
        [e for e in stored if e["ComplianceType"] in wanted],
        self.params.get("NextToken"),
        self.params.get("Limit") or DEFAULT_LIMIT,
        "InvalidNextTokenException",
    )
    return ActionResult({"EvaluationResults": [_result(rule, e) for e in found], "NextToken": token})


def _result(rule, evaluation):
    return {
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": {
                "ConfigRuleName": rule,
                "ResourceType": evaluation["ComplianceResourceType"],
                "ResourceId": evaluation["ComplianceResourceId"],
                "EvaluationMode": "DETECTIVE",
            },
            "OrderingTimestamp": evaluation["OrderingTimestamp"],
        },
        "ComplianceType": evaluation["ComplianceType"],
        "Annotation": evaluation.get("Annotation"),
        "ResultRecordedTime": evaluation["ResultRecordedTime"],
        "ConfigRuleInvokedTime": evaluation["ResultRecordedTime"],
    }


def extend_moto():
    """Adds the operations to moto's Config."""
    ConfigResponse.put_evaluations = put_evaluations
    ConfigResponse.get_compliance_details_by_config_rule = get_compliance_details_by_config_rule
