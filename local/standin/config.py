"""AWS Config as a custom rule sees it: PutEvaluations and GetComplianceDetailsByConfigRule.

moto accepts evaluations in test mode only and answers no question about compliance. Here they are kept: the last
evaluation of each resource, NOT_APPLICABLE included, so that what a rule said can be looked at. A change of compliance
is an event on EventBridge.
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

# The API's own default and the compliance types it stores (API reference of GetComplianceDetailsByConfigRule, PutEvaluations).
DEFAULT_LIMIT = 10
STORED = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE")


class Evaluations:
    """The tokens handed out, and the last evaluation of each resource by each rule."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules_by_token = {}
        self._by_rule = {}
        self._order = itertools.count()
        self.failures = []

    def mint(self, rule, account=ACCOUNT):
        """A new result token, as AWS Config puts into the event of one invocation of one account's rule."""
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
        """Stores the evaluations and returns those that failed, and of each change the rule, the evaluation before it,
        or None, and the new one. A token is good in its own account only."""
        with self._lock:
            if any(e["ComplianceType"] not in STORED for e in evaluations):
                raise pages.Refusal(
                    "InvalidParameterValueException",
                    "PutEvaluations accepts only the compliance types " + ", ".join(STORED) + ".",
                )
            if test_mode:
                return [], []
            if self._rules_by_token.get(token, (None,))[0] != account:
                raise pages.Refusal("InvalidResultTokenException", "The resultToken provided is invalid")
            failed = self.failures.pop(0) if self.failures else 0
            rule = self._rules_by_token[token][1]
            held, changes = self._by_rule[account, rule], []
            for evaluation in evaluations[failed:]:
                key = evaluation["ComplianceResourceType"], evaluation["ComplianceResourceId"]
                before = held.pop(key, None)
                held[key] = {
                    **evaluation,
                    "ResultRecordedTime": datetime.now(timezone.utc),
                    "Arrival": next(self._order),
                }
                if before is None or before["ComplianceType"] != evaluation["ComplianceType"]:
                    changes.append((rule, before, held[key]))
            return evaluations[:failed], changes

    def of(self, rule, account=ACCOUNT):
        """Everything held for `rule`, in the order of arrival."""
        with self._lock:
            if (account, rule) not in self._by_rule:
                raise pages.Refusal(
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
    unasked = rule in known and not EVALUATIONS.knows(rule, self.current_account)
    held = [] if unasked else EVALUATIONS.of(rule, self.current_account)
    wanted = self.params.get("ComplianceTypes") or ["COMPLIANT", "NON_COMPLIANT"]
    if "INSUFFICIENT_DATA" in wanted:
        raise pages.Refusal("InvalidParameterValueException", "INSUFFICIENT_DATA cannot be used to filter results.")
    found, token = pages.page(
        [e for e in held if e["ComplianceType"] in wanted],
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


def complete():
    """Adds the operations to moto's Config."""
    ConfigResponse.put_evaluations = put_evaluations
    ConfigResponse.get_compliance_details_by_config_rule = get_compliance_details_by_config_rule
