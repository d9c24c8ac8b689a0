"""`make invoke` sends one event to the local function or to a deployed function. It prints the result."""

import base64
import io
import json
import subprocess
import sys

import boto3
import pytest
from moto import mock_aws

from local import ROOT, invoke
from local.identifiers import ACCOUNT, OTHER_ACCOUNT
from local.lab import account
from local.lab.lab import default_binary

SAMPLE = ROOT / "events" / "04-role-changed-non-compliant.json"


def run(*arguments, **more):
    command = [sys.executable, "-m", "local.invoke", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, **more)


def test_local_function_answers_and_stores_its_verdict(binary):
    done = run("--binary", binary or default_binary(), SAMPLE)
    assert done.returncode == 0, done.stderr
    assert '"nonCompliant": 1' in done.stdout
    assert account.role("batch-worker-node").id in done.stdout and "NON_COMPLIANT" in done.stdout
    assert '"message":"verdict"' in done.stdout


def test_failed_invocation_gives_exit_status_1(binary):
    event = {**json.loads(SAMPLE.read_text()), "ruleParameters": '{"AllowedAcces": "cis"}'}
    done = run("--binary", binary or default_binary(), "-", input=json.dumps(event))
    assert done.returncode == 1
    assert "InvalidRuleParameters" in done.stdout and "AllowedAcces" in done.stdout


@pytest.mark.parametrize(
    "text, message", [(None, "cannot be read"), ("{", "is not valid JSON"), ("[]", "is not a JSON object")]
)
def test_file_without_an_event_is_an_error(tmp_path, text, message):
    path = tmp_path / "event.json"
    if text is not None:
        path.write_text(text)
    done = run(path)
    assert done.returncode == 1
    assert message in done.stderr and str(path) in done.stderr and "Traceback" not in done.stderr


def test_missing_binary_is_an_error(tmp_path):
    done = run("--binary", tmp_path / "none", SAMPLE)
    assert done.returncode == 1 and "no function binary at" in done.stderr and "Traceback" not in done.stderr


class Function:
    """A fake of a deployed function, because moto would need a container to run one. It saves the request."""

    def __init__(self):
        self.request, self.answer = None, {"rolesEvaluated": 1}
        self.error = {}

    def invoke(self, **request):
        self.request = request
        tail = base64.b64encode(b"a line of the log\n").decode()
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), "LogResult": tail, **self.error}


@pytest.fixture
def deployed(monkeypatch):
    """A stack with the output `FunctionName`, one without it, and the function. The caller is in another account."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", OTHER_ACCOUNT)
    function, client = Function(), boto3.client
    with mock_aws():
        cloudformation = client("cloudformation")
        resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
        for name, outputs in (
            ("ours", {"FunctionName": {"Value": "the-function"}}),
            ("theirs", {"Other": {"Value": "a"}}),
        ):
            cloudformation.create_stack(
                StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs})
            )
        monkeypatch.setattr(
            boto3, "client", lambda service, **more: function if service == "lambda" else client(service, **more)
        )
        yield function


@pytest.fixture
def send(monkeypatch, capsys):
    """Runs the program in this process. Returns its exit status and its output."""

    def send(*arguments):
        monkeypatch.setattr(sys, "argv", ["invoke.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            invoke.main()
        return ended.value.code, capsys.readouterr().out

    return send


def test_deployed_function_gets_the_callers_account_id(deployed, send):
    code, shown = send("--remote", "ours", SAMPLE)
    assert code == 0
    assert deployed.request["FunctionName"] == "the-function" and deployed.request["LogType"] == "Tail"
    sent = json.loads(deployed.request["Payload"])
    assert sent["accountId"] == OTHER_ACCOUNT and sent["resultToken"] == "TESTMODE"
    assert ACCOUNT not in json.dumps(sent)
    assert '"rolesEvaluated": 1' in shown and "a line of the log" in shown


def test_failed_deployed_function_gives_exit_status_1(deployed, send):
    deployed.answer, deployed.error = {"errorType": "NodeRolesUnknown"}, {"FunctionError": "Unhandled"}
    code, shown = send("--remote", "ours", SAMPLE)
    assert code == 1 and "NodeRolesUnknown" in shown


@pytest.mark.parametrize(
    "stack, message", [("theirs", "has no output `FunctionName`"), ("unknown", "unknown does not exist")]
)
def test_unsuitable_stack_is_an_error(deployed, send, stack, message):
    code, _ = send("--remote", stack, SAMPLE)
    assert code.startswith("error: ") and message in code
    assert deployed.request is None


@pytest.mark.parametrize(
    "variable, message",
    [("AWS_DEFAULT_REGION", "credentials"), ("NOTHING", "region")],
    ids=["no credentials", "no region"],
)
def test_missing_credentials_or_region_is_an_error(monkeypatch, send, tmp_path, variable, message):
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv(variable, "eu-west-1")
    code, _ = send("--remote", "ours", SAMPLE)
    assert code.startswith("error: ") and message in code
