"""Handles every request before moto: logs calls, injects faults, applies limits and checks the SDK model's constraints.

Faults and limits apply only to calls of the function. These use the function's access key, or a key that it got by
AssumeRole. All other callers are unaffected. `POST /local/faults` takes these fields:

    service, operation     the calls that the fault matches
    kind                   "error" (default), "malformed": the body is cut short, "reset": the connection is reset,
                           "slow": the answer comes after `seconds`, "deleted": the object is deleted first
    code, status, message  of an error
    times                  the number of calls (default 1; null: all)
    where                  parameters that the call must have; `account` and `region` are allowed too
    later_pages            true: only calls that request a page after the first
"""

import os
import socket
import struct
import threading
import time

import flask
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model

from local.identifiers import FUNCTION_KEY
from local.standin import deletions, model_constraints, pages
from local.standin.throttle import THROTTLED, Throttle

# The error code of each service for a request that violates the model.
VALIDATION_ERROR = {
    "account": "ValidationException",
    "config": "ValidationException",
    "eks": "InvalidParameterException",
    "iam": "ValidationError",
    "securityhub": "InvalidInputException",
    "sts": "ValidationError",
}
PAGE_TOKENS = ("Marker", "NextToken", "nextToken")


class RequestGate:
    def __init__(self):
        self._lock = threading.Lock()
        self._function_keys = {FUNCTION_KEY}
        self._calls = []
        self._faults = []
        self._latency = 0.0
        self._throttle = Throttle({})

    def calls(self):
        with self._lock:
            return list(self._calls)

    def forget_calls(self):
        with self._lock:
            self._calls.clear()

    def add_fault(self, fault):
        with self._lock:
            self._faults.append({"kind": "error", "times": 1, "where": {}, "later_pages": False, "fired": 0, **fault})

    def faults(self):
        """All faults. `fired` is the number of calls that each one matched."""
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def clear_faults(self):
        with self._lock:
            self._faults.clear()

    def set_limits(self, latency_ms=0, per_second=None, burst=None):
        """Adds `latency_ms` to every call. `per_second` limits the calls of each named service and region."""
        with self._lock:
            self._latency = latency_ms / 1000
            self._throttle = Throttle(per_second or {}, burst)

    def add_function_key(self, access_key, new_key):
        """Adds `new_key` to the function's keys, if the function got it by AssumeRole with `access_key`."""
        with self._lock:
            if access_key in self._function_keys:
                self._function_keys.add(new_key)

    def handle(self, response, original):
        """Answers a call with an injected fault, with a validation error, or with moto's answer."""
        service, operation = response.service_name, response._get_action()
        if not operation:
            return original(response)
        model = get_service_model(service).operation_model(operation)
        response.parse_parameters(response.normalized_request)
        fault = None
        if response.access_key in self._function_keys:
            call = {
                "service": service,
                "operation": operation,
                "account": response.current_account,
                "region": response.region,
                "parameters": dict(response.params),
            }
            with self._lock:
                self._calls.append(call)
                fault = self._matching_fault(call)
                call["fault"] = fault and fault["kind"]
                throttled = not fault and not self._throttle.admits(service, call["account"], call["region"])
                call["throttled"] = throttled
            time.sleep(self._latency)
            if throttled:
                code, status = THROTTLED[service]
                return self._error(response, code, "Rate exceeded", status)
        if fault and fault["kind"] == "error":
            return self._error(response, fault["code"], fault.get("message", "injected fault"), fault["status"])
        if fault and fault["kind"] == "reset":
            return self._reset()
        if fault and fault["kind"] == "slow":
            time.sleep(fault["seconds"])
        if fault and fault["kind"] == "deleted":
            deletions.delete(call)
        violations = list(model_constraints.violations(model.input_shape, response.params)) if model.input_shape else []
        if violations:
            return self._error(response, VALIDATION_ERROR[service], model_constraints.message(violations), 400)
        status, headers, body = original(response)
        if fault and fault["kind"] == "malformed":
            body = _cut_short(body)
        return status, headers, body

    def _matching_fault(self, call):
        values = {**call["parameters"], "account": call["account"], "region": call["region"]}
        for fault in self._faults:
            if (
                (fault["service"], fault["operation"]) == (call["service"], call["operation"])
                and (fault["times"] is None or fault["fired"] < fault["times"])
                and all(values.get(name) == value for name, value in fault["where"].items())
                and (not fault["later_pages"] or any(values.get(token) for token in PAGE_TOKENS))
            ):
                fault["fired"] += 1
                return fault
        return None

    @staticmethod
    def _error(response, code, message, status):
        _, headers, body = response.serialized(ActionResult(pages.AwsError(code, message)))
        headers["status"] = str(status)
        return status, headers, body

    @staticmethod
    def _reset():
        """Resets the connection. The answer that follows is lost."""
        connection = flask.request.environ["werkzeug.socket"]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())  # close() would wait for the files that werkzeug made from the socket
        return 200, {}, ""


def _cut_short(body):
    """The first half of a body. XML is cut before its last list member, so that the rest looks complete."""
    return body[: body.rfind("<member>") if "<member>" in body else len(body) // 2]


GATE = RequestGate()
