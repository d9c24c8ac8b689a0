"""The stand-in for AWS: moto's IAM, EKS, STS, Config, Security Hub and Account Management, extended, on 127.0.0.1.

    python -m local.standin.server [--port PORT]

prints its address and serves until it is stopped. Beside the AWS APIs it has control endpoints for tests:

    POST   /local/token         {"rule", "account" (optional)}: a result token, as AWS Config issues for each invocation
    GET    /local/calls         the function's calls since the last DELETE, in order, each with account and region
    GET    /local/evaluations   ?rule=name&account=id: the last evaluation of each resource, NOT_APPLICABLE included
    POST   /local/evaluations   {"rule", "account", "evaluations"}: stores earlier evaluations, as PutEvaluations would
    GET    /local/findings      ?account=id&region=name: every finding in Security Hub
    POST   /local/findings      {"findings", "account", "region"}: stores earlier findings, as BatchImportFindings would
    POST   /local/faults        a fault as in `request_gate.py`, or
                                {"failed_evaluations": n}: the next PutEvaluations reports n evaluations as failed, or
                                {"failed_findings": n, "code" (optional)}: the same for BatchImportFindings
    GET    /local/faults        the faults, each with the number of calls it matched; DELETE removes them
    POST   /local/limits        {"latency_ms", "per_second": {service: calls}, "burst"}; {} removes the limits
    POST   /local/page-size     {"size": n or null}: limits every page to n items
    POST   /local/regions       {"regions": {name: status}, "account" (optional)}: the answer of account:ListRegions
    POST   /local/document      {"role", "policy_name" (optional)} or {"policy_arn"}, and {"document"}: stores a
                                document without IAM's checks
    POST   /local/entities      creates roles, policies and clusters by the thousand, as in `bulk_create.py`
    POST   /local/snapshot      saves IAM and EKS; PUT restores them
    GET    /local/deletable     the parameters that name an object which a fault of kind "deleted" can delete

The limits come from the SDK's models. A test that passes here is no evidence about AWS itself.
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
from local.standin.request_gate import GATE, VALIDATION_ERROR


def extend_moto():
    """Extends moto. Call this once, before the first request."""
    accounts.extend_moto(GATE.add_function_key)
    for module in (config, eks, eks_pods, iam, security_hub):
        module.extend_moto()
    original = accounts.refuse_closed_regions(BaseResponse.call_action)

    def call_action(self):
        return GATE.handle(self, original) if self.service_name in VALIDATION_ERROR else original(self)

    BaseResponse.call_action = call_action


SNAPSHOT = {}


def control(method, path, query, body):
    """The answer of a control endpoint, or None for an unknown one."""
    match method, path:
        case "POST", "token":
            return {"resultToken": config.EVALUATIONS.new_token(**body)}
        case "GET", "calls":
            return GATE.calls()
        case "DELETE", "calls":
            return GATE.forget_calls() or {}
        case "GET", "evaluations":
            return config.EVALUATIONS.of(**{name: values[0] for name, values in query.items()})
        case "POST", "evaluations":
            token = config.EVALUATIONS.new_token(body["rule"], body["account"])
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
            return GATE.add_fault(body) or {}
        case "GET", "faults":
            return GATE.faults()
        case "DELETE", "faults":
            config.EVALUATIONS.failures.clear()
            security_hub.HUB.failures.clear()
            return GATE.clear_faults() or {}
        case "POST", "limits":
            return GATE.set_limits(**body) or {}
        case "POST", "page-size":
            return pages.limit_page_size(body["size"]) or {}
        case "POST", "regions":
            return accounts.REGIONS_OF.put(**body) or {}
        case "POST", "document":
            return iam.replace_document(iam_backends[ACCOUNT]["aws"], **body) or {}
        case "POST", "entities":
            return bulk_create.create(**body) or {}
        case "POST", "snapshot":
            SNAPSHOT["account"] = deletions.AccountSnapshot(body.get("account", ACCOUNT))
            return {}
        case "PUT", "snapshot":
            return SNAPSHOT["account"].restore() or {}
        case "GET", "deletable":
            return sorted(deletions.deletable())
    return None


class Application:
    """The control endpoints, and moto's dispatcher for every other path."""

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
        except (pages.AwsError, KeyError) as error:
            answer, status = {"error": str(error)}, "400 Bad Request"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer, default=lambda value: value.isoformat()).encode()]


def main():
    arguments = argparse.ArgumentParser(description="The stand-in for AWS that the demo and the tests use.")
    arguments.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free port)")
    extend_moto()
    server = make_server(
        "127.0.0.1", arguments.parse_args().port, Application(), threaded=True, request_handler=MotoRequestHandler
    )
    iam_backends[ACCOUNT]["aws"]  # loads the AWS managed policies, which takes a second
    print(f"http://127.0.0.1:{server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
