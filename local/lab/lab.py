"""Runs everything on one machine: the stand-in for AWS, cargo-lambda's Lambda emulator, and the function.

The function is the same binary that Lambda runs. The SDK's standard environment variables point it to the stand-in.
"""

import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from local import ROOT
from local.identifiers import ACCOUNT, FUNCTION_KEY, REGION
from local.lab import events, seed
from local.lab.lambda_runtime import Runtime, TimedOut
from local.lab.processes import Processes, ProgramFailed

FUNCTION = "eks-node-role-ecr-read-only"
INVOKE_SECONDS = 60.0
# The errorType of an invocation that Lambda ended at its timeout.
TIMED_OUT = "Sandbox.Timedout"


def default_binary(profile="debug"):
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / profile / FUNCTION


@dataclass(frozen=True)
class Answer:
    """Lambda's answer to an invocation. For a failure, `payload` has errorType and errorMessage."""

    ok: bool
    payload: object

    @property
    def error(self):
        return (
            f"{self.payload.get('errorType')}: {self.payload.get('errorMessage')}"
            if isinstance(self.payload, dict)
            else str(self.payload)
        )


class Lab:
    """Starts everything on entering and stops everything on leaving."""

    def __init__(
        self,
        binary=None,
        seeded=True,
        environment=None,
        on_step=lambda text: None,
        emulator=True,
        aws=("local.standin.server",),
        beside=None,
    ):
        """Without the emulator, the function runs under `lambda_runtime.py`, with a timeout and an account id.

        `aws` is the module that serves the AWS APIs, with its arguments. `beside` is a lab whose AWS APIs this one
        uses: its function is then another instance of the same function.
        """
        self.binary = Path(binary or default_binary())
        self._runtime = None if emulator else Runtime()
        self._seeded, self._aws, self._beside = seeded, aws, beside
        self._environment = environment or {}
        self._on_step = on_step
        self._folder = tempfile.mkdtemp(prefix=f"{FUNCTION}-")
        self.processes = Processes(self._folder)

    def __enter__(self):
        try:
            if not self.binary.is_file():
                raise FileNotFoundError(f"no function binary at {self.binary}: run `cargo build` first")
            self._start_aws()
            if self._seeded:
                self._on_step("seeding the account (5 s)")
                seed.seed(self.aws)
            self.cold_start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.processes.stop_all()
        if self._runtime:
            self._runtime.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # The AWS side

    def _start_aws(self):
        if self._beside:
            self.aws = self._beside.aws
            return
        self._on_step("starting the stand-in for AWS (2 s)")
        command = [sys.executable, "-u", "-m", *self._aws]
        process = self.processes.start("aws", command, cwd=ROOT, stdout=subprocess.PIPE)
        self.aws = process.stdout.readline().decode().strip()
        if not self.aws:
            raise ProgramFailed("aws", "the stand-in for AWS did not start", self.processes.log("aws"))

    def client(self, service, **more):
        """A boto3 client for an operator of the account. Its calls do not count as calls of the function."""
        return seed.client(service, self.aws, **more)

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.aws}/local/{path}", data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def new_token(self, rule=events.RULE, account=ACCOUNT):
        """A new result token. AWS Config puts one into every event."""
        return self.control("POST", "token", {"rule": rule, "account": account})["resultToken"]

    def calls(self):
        """The AWS calls of the function since the last `forget_calls`, in order."""
        return self.control("GET", "calls")

    def forget_calls(self):
        self.control("DELETE", "calls")

    def inject_fault(self, service, operation, **fault):
        """Injects a fault into calls of the function, with the fields of `local/standin/request_gate.py`."""
        self.control("POST", "faults", {"service": service, "operation": operation, **fault})

    def remove_faults(self):
        self.control("DELETE", "faults")

    def evaluations(self, rule=events.RULE, account=ACCOUNT):
        """The last evaluation of each resource, by resource id."""
        return {
            e["ComplianceResourceId"]: e
            for e in self.control("GET", f"evaluations?rule={quote(rule)}&account={account}")
        }

    def verdicts(self, rule=events.RULE, account=ACCOUNT):
        """The last verdict on each resource, by resource id."""
        return {identity: e["ComplianceType"] for identity, e in self.evaluations(rule, account).items()}

    def findings(self, account=ACCOUNT, region=REGION):
        """All findings in Security Hub by id, archived ones included."""
        return {f["Id"]: f for f in self.control("GET", f"findings?account={account}&region={region}")}

    # The Lambda side

    def cold_start(self, environment=None):
        """Starts the function and the emulator again, with empty caches."""
        self.processes.stop("function")
        if self._runtime:
            # A new one, because the old one may give the next event to the stopped function's poll.
            self._runtime.close()
            self._runtime = Runtime()
        else:
            self.processes.stop("emulator")
            self._start_emulator()
        self._start_function({**self._environment, **(environment or {})})

    def _start_emulator(self):
        # The emulator needs a crate. An empty crate with our name keeps it from watching and locking our crate.
        crate = Path(self._folder) / "crate"
        (crate / "src").mkdir(parents=True, exist_ok=True)
        (crate / "src" / "main.rs").write_text("fn main() {}\n")
        (crate / "Cargo.toml").write_text(
            f'[package]\nname = "{FUNCTION}"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n'
        )
        self._port = _free_port()
        command = [cargo_lambda(), "lambda", "watch", "--only-lambda-apis", "--ignore-changes"]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self._port)]
        self.processes.start("emulator", command, cwd=crate)
        self.processes.wait_until("emulator", lambda: _listens(self._port), 20)

    def _start_function(self, environment):
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self._function = self.processes.start(
            "function", [str(self.binary)], env={**inherited, **self._lambda_environment(), **environment}
        )

    def _lambda_environment(self):
        """The variables that Lambda sets for every function, and the endpoint."""
        return {
            "AWS_LAMBDA_RUNTIME_API": self._runtime.address
            if self._runtime
            else f"http://127.0.0.1:{self._port}/.rt/{FUNCTION}",
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": FUNCTION_KEY,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_EC2_METADATA_DISABLED": "true",
            "TZ": ":UTC",
        }

    def invoke(self, event, seconds=INVOKE_SECONDS):
        """Sends an event unchanged, and returns the function's answer."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        if self._runtime:
            return self._invoke_by_runtime(body, seconds)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=seconds)
        try:
            connection.request(
                "POST", f"/2015-03-31/functions/{FUNCTION}/invocations", body, {"Content-Type": "application/json"}
            )
            self._await_answer(connection.sock, seconds)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.processes.check("emulator")
            self.processes.check("function")
            raise ProgramFailed("function", f"the function did not answer: {error!r}", self.function_log()) from error
        finally:
            connection.close()
        try:
            payload = json.loads(raw or "null")
        except ValueError:
            payload = raw.decode(errors="replace")
        return Answer(response.status < 400, payload)

    def _invoke_by_runtime(self, body, seconds):
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
        try:
            return Answer(*self._runtime.invoke(body, arn, seconds, lambda: self.processes.check("function")))
        except TimedOut:
            # As in Lambda, the function is stopped and the next event starts a new one.
            self.cold_start()
            return Answer(
                False, {"errorType": TIMED_OUT, "errorMessage": f"Task timed out after {seconds:.2f} seconds"}
            )

    def _await_answer(self, answer, seconds):
        """Waits for the answer. The emulator would wait forever for a function that has ended, so this checks it."""
        deadline = time.monotonic() + seconds
        while not select.select([answer], [], [], 0.2)[0]:
            self.processes.check("function")
            if time.monotonic() > deadline:
                raise ProgramFailed(
                    "function", f"the function did not answer within {seconds:.0f} s", self.function_log()
                )

    def send(self, event, rule=events.RULE, seconds=INVOKE_SECONDS):
        """Sends an event with a new result token for `rule` in the event's account, as AWS Config would."""
        token = self.new_token(rule, event.get("accountId", ACCOUNT))
        return self.invoke({**event, "resultToken": token, "configRuleName": rule}, seconds)

    def function_log(self):
        return self.processes.log("function")

    def resident_kib(self, peak=False):
        """The function's resident memory in KiB, now or at its peak. None without /proc."""
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{self._function.pid}/status").read_text()
            field = "VmHWM:" if peak else "VmRSS:"
            return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])
        return None

    def cpu_seconds(self):
        """The processor time of the function in seconds. None without /proc."""
        with suppress(OSError):
            # Fields after the name, which may contain spaces: utime and stime are fields 14 and 15 (proc(5)).
            fields = Path(f"/proc/{self._function.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return None


def emulator_starts():
    """Whether cargo-lambda's emulator can start: it needs cargo. `lambda_runtime.py` needs only Python."""
    return shutil.which("cargo") is not None and _installed_cargo_lambda() is not None


def cargo_lambda():
    """cargo-lambda from the checkout's environment, or from the PATH."""
    found = _installed_cargo_lambda()
    if not found:
        raise FileNotFoundError("cargo-lambda is not installed: `make demo` and `make test` install it")
    return found


def _installed_cargo_lambda():
    ours = ROOT / ".venv" / "build" / "bin" / "cargo-lambda"
    return str(ours) if ours.is_file() else shutil.which("cargo-lambda")


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _listens(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
