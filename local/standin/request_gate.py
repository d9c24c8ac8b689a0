"""What every call passes on its way into moto: the log of calls, planted faults, limits, and the SDK models' constraints.

Faults and limits meet the function's calls alone, those with its access key or with one that it got by AssumeRole:
whoever runs the account is served as before. A fault is what `POST /local/faults` says:

    service, operation     which calls it meets
    kind                   "error" (default), "malformed": a part of the answer's body, "reset": the connection breaks,
                           "slow": the answer comes after `seconds`, "deleted": what is asked about goes first
    code, status, message  of an error
    times                  how many calls (default 1; null: all)
    where                  parameters that the call must have, the account and the region among them
    later_pages            true: only calls that ask for a page after the first
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

# How each service words a request that its model refuses.
REFUSAL = {
    "account": "ValidationException",
    "config": "ValidationException",
    "eks": "InvalidParameterException",
    "iam": "ValidationError",
    "securityhub": "InvalidInputException",
    "sts": "ValidationError",
}
PAGE_TOKENS = ("Marker", "NextToken", "nextToken")


class Bucket:
    """A token bucket, as AWS's throttling is described: `per_second` flow in, at most `burst` are held."""

    def __init__(self, per_second, burst):
        self._per_second, self._burst = per_second, burst
        self._held, self._at = burst, time.monotonic()

    def take(self):
        now = time.monotonic()
        self._held = min(self._burst, self._held + (now - self._at) * self._per_second)
        self._at = now
        if self._held < 1:
            return False
        self._held -= 1
        return True


class Door:
    def __init__(self):
        self._lock = threading.Lock()
        self._keys = {FUNCTION_KEY}
        self._calls = []
        self._faults = []
        self._latency = 0.0
        self._buckets = {}

    def calls(self):
        with self._lock:
            return list(self._calls)

    def reset(self):
        with self._lock:
            self._calls.clear()

    def plant(self, fault):
        with self._lock:
            self._faults.append({"kind": "error", "times": 1, "where": {}, "later_pages": False, "fired": 0, **fault})

    def faults(self):
        """The faults planted, each with the number of calls it met as `fired`."""
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def clear_faults(self):
        with self._lock:
            self._faults.clear()

    def limit(self, latency_ms=0, per_second=None, burst=None):
        """Every call takes `latency_ms` longer; `per_second` bounds the calls of each service it names."""
        with self._lock:
            self._latency = latency_ms / 1000
            self._buckets = {service: Bucket(rate, burst or rate) for service, rate in (per_second or {}).items()}

    def hand_on(self, access_key, got):
        """Calls with the access key `got` are the function's too, if it was the function that got it by AssumeRole."""
        with self._lock:
            if access_key in self._keys:
                self._keys.add(got)

    def admit(self, response, original):
        """Answers a call: with a fault, with a refusal, or with what moto says."""
        service, operation = response.service_name, response._get_action()
        if not operation:
            return original(response)
        model = get_service_model(service).operation_model(operation)
        response.parse_parameters(response.normalized_request)
        fault = None
        if response.access_key in self._keys:
            call = {
                "service": service,
                "operation": operation,
                "account": response.current_account,
                "region": response.region,
                "parameters": dict(response.params),
            }
            with self._lock:
                self._calls.append(call)
                fault = self._meet(call)
                call["fault"] = fault and fault["kind"]
                throttled = not fault and service in self._buckets and not self._buckets[service].take()
            time.sleep(self._latency)
            if throttled:
                return self._error(response, "Throttling", "Rate exceeded", 400)
        if fault and fault["kind"] == "error":
            return self._error(response, fault["code"], fault.get("message", "planted fault"), fault["status"])
        if fault and fault["kind"] == "reset":
            return self._reset()
        if fault and fault["kind"] == "slow":
            time.sleep(fault["seconds"])
        if fault and fault["kind"] == "deleted":
            deletions.delete(call)
        found = list(model_constraints.violations(model.input_shape, response.params)) if model.input_shape else []
        if found:
            return self._error(response, REFUSAL[service], model_constraints.message(found), 400)
        status, headers, body = original(response)
        if fault and fault["kind"] == "malformed":
            body = _cut(body)
        return status, headers, body

    def _meet(self, call):
        known = {**call["parameters"], "account": call["account"], "region": call["region"]}
        for fault in self._faults:
            if (
                (fault["service"], fault["operation"]) == (call["service"], call["operation"])
                and (fault["times"] is None or fault["fired"] < fault["times"])
                and all(known.get(name) == value for name, value in fault["where"].items())
                and (not fault["later_pages"] or any(known.get(token) for token in PAGE_TOKENS))
            ):
                fault["fired"] += 1
                return fault
        return None

    @staticmethod
    def _error(response, code, message, status):
        _, headers, body = response.serialized(ActionResult(pages.Refusal(code, message)))
        headers["status"] = str(status)
        return status, headers, body

    @staticmethod
    def _reset():
        """Closes the connection so that the other side sees a reset: what is answered afterwards goes nowhere."""
        connection = flask.request.environ["werkzeug.socket"]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())  # close() would wait for the files that werkzeug has made of the socket
        return 200, {}, ""


def _cut(body):
    """An answer's body up to its middle, or as XML up to the last member of its last list: what is left reads well."""
    return body[: body.rfind("<member>") if "<member>" in body else len(body) // 2]


DOOR = Door()
