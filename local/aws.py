"""A local AWS: moto's IAM, EKS, STS and Config, completed in its own process, on a port of 127.0.0.1.

    python local/aws.py [--port PORT]

prints its address and serves until it is stopped. Beside AWS it answers under `/local/…`, for those who run it:

    POST   /local/token         {"rule": name}: a result token, as AWS Config mints one for each invocation
    GET    /local/calls         the calls made with the function's access key since the last DELETE
    GET    /local/evaluations   ?rule=name: the last evaluation of each resource, NOT_APPLICABLE included
    POST   /local/faults        {"service", "operation", "code", "status", "times"}: the next calls fail so
                                {"failed_evaluations": n}: the next PutEvaluations reports n as failed
    DELETE /local/faults
    POST   /local/page-size     {"size": n or null}: every list is cut into pages of n
    POST   /local/document      {"role", "policy_name" or none} or {"policy_arn"}, and {"document"}: past IAM's checks

Its limits are ours, read from the SDK's models: passing here is no evidence about AWS.
"""

import argparse
import json
import os
import re
import threading
from urllib.parse import parse_qs

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
for variable in ("MOTO_ACCOUNT_ID", "AWS_PROFILE"):
    os.environ.pop(variable, None)

import aws_config
import aws_eks
import aws_iam
import constraints
import pages
from account import ACCOUNT, FUNCTION_KEY
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

# How each service words a request that its model refuses.
REFUSAL = {"config": "ValidationException", "eks": "InvalidParameterException", "iam": "ValidationError"}


class Door:
    """What every call passes on its way into moto: the call log, the planted faults, the model's constraints."""

    def __init__(self):
        self._lock = threading.Lock()
        self._calls = []
        self._faults = []

    def calls(self):
        with self._lock:
            return list(self._calls)

    def reset(self):
        with self._lock:
            self._calls.clear()

    def plant(self, fault):
        with self._lock:
            self._faults.append({"times": 1, **fault})

    def clear_faults(self):
        with self._lock:
            self._faults.clear()

    def admit(self, response, original):
        """Answers a call: with a fault, with a refusal, or with what moto says."""
        service, operation = response.service_name, response._get_action()
        if not operation:
            return original(response)
        model = get_service_model(service).operation_model(operation)
        response.parse_parameters(response.normalized_request)
        by_function = response.access_key == FUNCTION_KEY
        if by_function:
            self._log(service, operation, response.params)
            fault = self._fault(service, operation)
            if fault:
                return self._error(response, fault["code"], fault.get("message", "planted fault"), fault["status"])
        found = list(constraints.violations(model.input_shape, response.params)) if model.input_shape else []
        if found:
            return self._error(response, REFUSAL[service], constraints.message(found), 400)
        return original(response)

    def _log(self, service, operation, parameters):
        with self._lock:
            self._calls.append({"service": service, "operation": operation, "parameters": dict(parameters)})

    def _fault(self, service, operation):
        with self._lock:
            for fault in self._faults:
                if (fault["service"], fault["operation"]) == (service, operation) and fault["times"] > 0:
                    fault["times"] -= 1
                    return fault
        return None

    @staticmethod
    def _error(response, code, message, status):
        _, headers, body = response.serialized(ActionResult(pages.Refusal(code, message)))
        headers["status"] = str(status)
        return status, headers, body


DOOR = Door()


def complete():
    """Completes moto. Call once, before its first request."""
    aws_config.complete()
    aws_eks.complete()
    aws_iam.complete()
    original = BaseResponse.call_action

    def call_action(self):
        return DOOR.admit(self, original) if self.service_name in REFUSAL else original(self)

    BaseResponse.call_action = call_action


def control(method, path, query, body):
    """Answers under `/local/…`; returns None for what it does not know."""
    match method, path:
        case "POST", "token":
            return {"resultToken": aws_config.EVALUATIONS.mint(body["rule"])}
        case "GET", "calls":
            return DOOR.calls()
        case "DELETE", "calls":
            return DOOR.reset() or {}
        case "GET", "evaluations":
            return aws_config.EVALUATIONS.of(query["rule"][0])
        case "POST", "faults":
            if "failed_evaluations" in body:
                return aws_config.EVALUATIONS.fail_next(body["failed_evaluations"]) or {}
            return DOOR.plant(body) or {}
        case "DELETE", "faults":
            aws_config.EVALUATIONS.failures.clear()
            return DOOR.clear_faults() or {}
        case "POST", "page-size":
            return pages.shrink(body["size"]) or {}
        case "POST", "document":
            return aws_iam.plant(iam_backends[ACCOUNT]["aws"], **body) or {}
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
            answer = control(environ["REQUEST_METHOD"], local[1], parse_qs(environ["QUERY_STRING"]), json.loads(raw or "{}"))
            status = "404 Not Found" if answer is None else "200 OK"
        except (pages.Refusal, KeyError) as error:
            answer, status = {"error": str(error)}, "400 Bad Request"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer, default=lambda value: value.isoformat()).encode()]


def main():
    arguments = argparse.ArgumentParser(description="A local AWS for the demo and the tests.")
    arguments.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    complete()
    server = make_server("127.0.0.1", arguments.parse_args().port, Application(), threaded=True, request_handler=MotoRequestHandler)
    iam_backends[ACCOUNT]["aws"]  # the managed policies take a second to read: now, not in the first call
    print(f"http://127.0.0.1:{server.port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
