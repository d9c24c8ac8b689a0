"""Sends one event to the function and prints the result: `make invoke EVENT=events/04-….json`.

    python -m local.invoke [--binary PATH] EVENT      with the stand-in for AWS and the account of `account.py`
    python -m local.invoke --remote STACK EVENT       to the deployed function of a CloudFormation stack

EVENT is a file, or `-` for standard input. The exit status is 1 if the invocation failed. For a deployed function, the
account id in the event is replaced by the caller's. The sample events have the result token TESTMODE, so AWS Config
stores nothing.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

from local.identifiers import ACCOUNT

# 900 seconds is the maximum of a Lambda timeout. A retry while the function runs would run it twice.
CLIENT_CONFIG = {"read_timeout": 900, "retries": {"total_max_attempts": 1}}


class CannotSend(Exception):
    """The event cannot be sent. The message is for the user."""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "event", help="file with a complete Lambda event, for example from events/; - for standard input"
    )
    arguments.add_argument("--binary", help="the function's binary (default: the debug build)")
    arguments.add_argument(
        "--remote", metavar="STACK", help="send the event to the deployed function of this CloudFormation stack"
    )
    options = arguments.parse_args()
    try:
        event = read(options.event)
        ok = remote(options.remote, event) if options.remote else local(options.binary, event)
    except CannotSend as failure:
        sys.exit(f"error: {failure}")
    sys.exit(0 if ok else 1)


def read(path):
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        event = json.loads(text)
    except OSError as error:
        raise CannotSend(f"event `{path}` cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CannotSend(f"event `{path}` is not valid JSON: {error}") from error
    if not isinstance(event, dict):
        raise CannotSend(f"event `{path}` is not a JSON object")
    return event


def local(binary, event):
    """Sends the event to the local binary, with the stand-in for AWS. Returns whether the invocation succeeded."""
    from local.lab.lab import Lab, default_binary, emulator_starts
    from local.lab.processes import Interrupted, ProgramFailed

    lab = Lab(
        binary or default_binary(),
        on_step=lambda text: print(f"==> {text}", file=sys.stderr, flush=True),
        emulator=emulator_starts(),
    )
    lab.processes.catch_signals()
    try:
        with lab:
            rule, account = event.get("configRuleName") or "invoked", event.get("accountId") or ACCOUNT
            answer = lab.send(event, rule)
            section("answer", answer.payload)
            section(
                "evaluations in AWS Config",
                {identity: summary(e) for identity, e in lab.evaluations(rule, account).items()},
            )
            section(
                "findings in AWS Security Hub", {identity: summary(f) for identity, f in lab.findings(account).items()}
            )
            print_log("log", lab.function_log())
            return answer.ok
    except Interrupted as stop:
        sys.exit(stop.exit_code)
    except ProgramFailed as failure:
        raise CannotSend(f"{failure}\n{failure.log}".rstrip()) from failure
    except FileNotFoundError as missing:
        raise CannotSend(missing) from missing


def summary(stored):
    """The most important fields of an evaluation or a finding, as one line."""
    if "ComplianceType" in stored:
        return " ".join(filter(None, [stored["ComplianceType"], stored.get("Annotation")]))
    return f"{stored['RecordState']} {stored['Compliance']['Status']} {stored['Severity']['Label']} {stored['Title']}"


def remote(stack, event):
    """Sends the event to the deployed function. Returns whether the invocation succeeded."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        functions, stacks = boto3.client("lambda", config=Config(**CLIENT_CONFIG)), boto3.client("cloudformation")
        account = boto3.client("sts").get_caller_identity()["Account"]
        answer = functions.invoke(
            FunctionName=function_name(stacks, stack),
            LogType="Tail",
            Payload=json.dumps(event).replace(ACCOUNT, account).encode(),
        )
    except (BotoCoreError, ClientError) as error:
        raise CannotSend(error) from error
    section("answer", json.load(answer["Payload"]))
    print_log("end of the log", base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"))
    return "FunctionError" not in answer


def function_name(cloudformation, stack):
    """The stack's output `FunctionName`. CloudFormation reports an unknown stack."""
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    for output in described.get("Outputs", []):
        if output["OutputKey"] == "FunctionName":
            return output["OutputValue"]
    raise CannotSend(
        f"stack `{stack}` has no output `FunctionName`: it does not come from template.yaml, or its creation failed"
    )


def section(title, value):
    print(f"{title}:\n{json.dumps(value, indent=2, ensure_ascii=False)}\n", flush=True)


def print_log(title, text):
    print(f"{title}:\n{text.rstrip()}", flush=True)


if __name__ == "__main__":
    main()
