"""A local AWS: moto's IAM, EKS, STS, Config, Security Hub and account management, completed in its own process, on a port of
127.0.0.1.

    python -m local.standin.server [--port PORT]

prints its address and serves until it is stopped. Beside AWS it answers under `/local/…`, for those who run it:

    POST   /local/token         {"rule", "account" or none}: a result token, as AWS Config mints one for each invocation
    GET    /local/calls         the function's calls since the last DELETE, in order, each with account and region
    GET    /local/evaluations   ?rule=name&account=id: the last evaluation of each resource, NOT_APPLICABLE included
    POST   /local/evaluations   {"rule", "account", "evaluations"}: what a rule said before, as PutEvaluations would
    GET    /local/findings      ?account=id&region=name: every finding that Security Hub holds
    POST   /local/findings      {"findings", "account", "region"}: what a rule found before, as BatchImportFindings would
    POST   /local/faults        a fault as `request_gate.py` describes it, or
                                {"failed_evaluations": n}: the next PutEvaluations reports n as failed, or
                                {"failed_findings": n, "code" or none}: the same of BatchImportFindings
    GET    /local/faults        the faults, each with the number of calls that it met; DELETE lifts them
    POST   /local/limits        {"latency_ms", "per_second": {service: calls}, "burst"}; {} lifts them
    POST   /local/page-size     {"size": n or null}: every list is cut into pages of n
    POST   /local/regions       {"regions": {name: status}, "account" or none}: what account:ListRegions tells
    POST   /local/document      {"role", "policy_name" or none} or {"policy_arn"}, and {"document"}: past IAM's checks
    POST   /local/entities      roles, policies and clusters by the thousand, as `bulk_create.py` describes them
    POST   /local/kept          keeps IAM and EKS as they are; PUT puts them back
    GET    /local/deletable     the operations whose object a fault of kind "deleted" can take away

Its limits are ours, read from the SDK's models: passing here is no evidence about AWS.
"""

import argparse
import json
import os
import re
from contextlib import suppress
from urllib.parse import parse_qs

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
for variable in ("MOTO_ACCOUNT_ID", "AWS_PROFILE"):
    os.environ.pop(variable, None)

from dateutil.parser import isoparse
from moto.core.responses import BaseResponse
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from local.identifiers import ACCOUNT, REGION
from local.standin import accounts, bulk_create, config, deletions, eks, eks_pods, iam, pages, security_hub
from local.standin.request_gate import DOOR, REFUSAL


def complete():
    """Completes moto. Call once, before its first request."""
    accounts.complete(DOOR.hand_on)
    config.complete()
    eks.complete()
    eks_pods.complete()
    iam.complete()
    security_hub.complete()
    original = accounts.refuse_closed_regions(BaseResponse.call_action)

    def call_action(self):
        return DOOR.admit(self, original) if self.service_name in REFUSAL else original(self)

    BaseResponse.call_action = call_action


KEPT = {}


def control(method, path, query, body):
    """Answers under `/local/…`; returns None for what it does not know."""
    match method, path:
        case "POST", "token":
            return {"resultToken": config.EVALUATIONS.mint(**body)}
        case "GET", "calls":
            return DOOR.calls()
        case "DELETE", "calls":
            return DOOR.reset() or {}
        case "GET", "evaluations":
            return config.EVALUATIONS.of(**{name: values[0] for name, values in query.items()})
        case "POST", "evaluations":
            token = config.EVALUATIONS.mint(body["rule"], body["account"])
            evaluations = [{**e, "OrderingTimestamp": isoparse(e["OrderingTimestamp"])} for e in body["evaluations"]]
            config.EVALUATIONS.put(body["account"], token, evaluations, False)
            return {}
        case "GET", "findings":
            return security_hub.HUB.findings(**{name: values[0] for name, values in query.items()})
        case "POST", "findings":
            return security_hub.HUB.put(body.get("account", ACCOUNT), body.get("region", REGION), body["findings"])
        case "POST", "faults":
            if "failed_findings" in body:
                return security_hub.HUB.fail_next(body.pop("failed_findings"), **body) or {}
            if "failed_evaluations" in body:
                return config.EVALUATIONS.fail_next(body["failed_evaluations"]) or {}
            return DOOR.plant(body) or {}
        case "GET", "faults":
            return DOOR.faults()
        case "DELETE", "faults":
            config.EVALUATIONS.failures.clear()
            security_hub.HUB.failures.clear()
            return DOOR.clear_faults() or {}
        case "POST", "limits":
            return DOOR.limit(**body) or {}
        case "POST", "page-size":
            return pages.shrink(body["size"]) or {}
        case "POST", "regions":
            return accounts.REGIONS_OF.put(**body) or {}
        case "POST", "document":
            return iam.plant(iam_backends[ACCOUNT]["aws"], **body) or {}
        case "POST", "entities":
            return bulk_create.create(**body) or {}
        case "POST", "kept":
            KEPT["account"] = deletions.Kept(body.get("account", ACCOUNT))
            return {}
        case "PUT", "kept":
            return KEPT["account"].put_back() or {}
        case "GET", "deletable":
            return sorted(deletions.deletable())
    return None


class Application:
    """moto's dispatcher with the control endpoints in front."""

    def __init__(self):
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        local = re.match(r"/local/(.+)", environ["PATH_INFO"])
        if not local:
            return self._moto(environ, start_response)
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            answer = control(
                environ["REQUEST_METHOD"], local[1], parse_qs(environ["QUERY_STRING"]), json.loads(raw or "{}")
            )
            status = "404 Not Found" if answer is None else "200 OK"
        except (pages.Refusal, KeyError) as error:
            answer, status = {"error": str(error)}, "400 Bad Request"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer, default=lambda value: value.isoformat()).encode()]


def main():
    arguments = argparse.ArgumentParser(description="A local AWS for the demo and the tests.")
    arguments.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    complete()
    server = make_server(
        "127.0.0.1", arguments.parse_args().port, Application(), threaded=True, request_handler=MotoRequestHandler
    )
    iam_backends[ACCOUNT]["aws"]  # the managed policies take a second to read: now, not in the first call
    print(f"http://127.0.0.1:{server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
