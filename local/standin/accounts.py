"""Adds accounts and regions to moto: account:ListRegions, closed regions, and trust policies in sts:AssumeRole.

moto lets every caller assume every role, even a role that does not exist. Here the role must exist and trust the
caller's account. As at AWS, nobody can assume the service-linked role of AWS Config.
"""

import json
import threading

from moto.account import urls
from moto.account.responses import AccountResponse
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.responses import TokenResponse

from local.identifiers import ACCOUNT, REGIONS
from local.standin import pages

# The default and maximum of ListRegions (API reference).
DEFAULT_PAGE = 50


class Regions:
    """The regions of each account, and whether they are enabled. The default is `REGIONS`."""

    def __init__(self):
        self._lock = threading.Lock()
        self._by_account = {}

    def put(self, regions, account=ACCOUNT):
        with self._lock:
            self._by_account[account] = regions

    def of(self, account):
        with self._lock:
            return self._by_account.get(account, REGIONS)


REGIONS_OF = Regions()


def list_regions(self):
    wanted = self.params.get("RegionOptStatusContains")
    statuses = sorted(REGIONS_OF.of(self.current_account).items())
    found, token = pages.page(
        [
            {"RegionName": name, "RegionOptStatus": status}
            for name, status in statuses
            if not wanted or status in wanted
        ],
        self.params.get("NextToken"),
        self.params.get("MaxResults") or DEFAULT_PAGE,
        "ValidationException",
    )
    return ActionResult({"Regions": found, "NextToken": token})


def refuse_closed_regions(original):
    """In a region that the account has not enabled, every service refuses the account's credentials."""

    def call_action(self):
        if REGIONS_OF.of(self.current_account).get(self.region, "ENABLED") not in ("ENABLED", "ENABLED_BY_DEFAULT"):
            error = pages.AwsError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
            _, headers, body = self.serialized(ActionResult(error))
            headers["status"] = "403"
            return 403, headers, body
        return original(self)

    return call_action


def _checked_assume_role(original, on_new_key):
    def assume_role(self):
        arn = self.params["RoleArn"]
        account = arn.split(":")[4]
        caller = f"arn:aws:sts::{self.current_account}:assumed-role/function/local"
        role = next((r for r in iam_backends[account]["aws"].roles.values() if r.arn == arn), None)
        if role is None or not _trusts(role, self.current_account):
            raise pages.AwsError(
                "AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        answer = original(self)
        on_new_key(self.access_key, answer.result["Credentials"].access_key_id)
        return answer

    return assume_role


def _trusts(role, account):
    principals = {account, f"arn:aws:iam::{account}:root"}
    for statement in json.loads(role.assume_role_policy_document)["Statement"]:
        named = statement.get("Principal", {})
        named = named.get("AWS", []) if isinstance(named, dict) else [named]
        if statement["Effect"] == "Allow" and principals & set([named] if isinstance(named, str) else named):
            return True
    return False


def extend_moto(on_new_key):
    """Extends moto's account and STS. Each AssumeRole calls `on_new_key(caller's access key, new access key)`."""
    # One route for everything, as for EKS: the SDK's model maps each path to its operation.
    urls.url_paths.clear()
    urls.url_paths["{0}/(?P<path>.+)$"] = AccountResponse.dispatch
    AccountResponse.list_regions = list_regions
    TokenResponse.assume_role = _checked_assume_role(TokenResponse.assume_role, on_new_key)
