"""Lambda's Runtime API on a port of 127.0.0.1, with a function ARN and a timeout for each invocation.

cargo-lambda's emulator gives every invocation the function ARN `function-arn` and a deadline in 1970. Here each
invocation has the ARN of a function in an account, and ends at its timeout as in Lambda. The content of events does not
matter here.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API = "/2018-06-01/runtime/"
TRACE_ID = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"


class TimedOut(Exception):
    """The function did not answer before its timeout."""


class Invocation:
    def __init__(self, body, arn, seconds):
        self.id, self.body, self.arn = str(uuid.uuid4()), body, arn
        self.deadline = time.time() + seconds
        self.answer = None
        self.answered = threading.Event()


class Runtime:
    """Serves invocations to one function, one at a time."""

    def __init__(self):
        self._waiting = queue.Queue()
        self._open = {}
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                invocation = runtime._waiting.get() if self.path == API + "invocation/next" else None
                if invocation is None:
                    self._reply(404, b"{}")
                    return
                runtime._open[invocation.id] = invocation
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": invocation.id,
                    "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
                    "Lambda-Runtime-Trace-Id": TRACE_ID,
                }
                self._reply(200, invocation.body, headers)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                identity, _, kind = self.path.removeprefix(API + "invocation/").partition("/")
                invocation = runtime._open.pop(identity, None)
                if invocation is None or kind not in ("response", "error"):
                    self._reply(404, b"{}")
                    return
                invocation.answer = kind == "response", json.loads(body or b"null")
                invocation.answered.set()
                self._reply(202, b"{}")

            def _reply(self, status, body, headers=None):
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    **(headers or {}),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                """A function that is stopped breaks its connection. That is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def invoke(self, body, arn, seconds, check_alive=lambda: None):
        """Sends an event to the function, and returns (success, answer).

        `check_alive` raises if the function has ended. Raises TimedOut after `seconds`.
        """
        invocation = Invocation(body, arn, seconds)
        self._waiting.put(invocation)
        while not invocation.answered.wait(min(0.2, max(0.01, invocation.deadline - time.time()))):
            check_alive()
            if time.time() > invocation.deadline:
                raise TimedOut
        return invocation.answer

    def close(self):
        self._server.shutdown()
        self._server.server_close()
