"""Sends one event to the function and prints what comes of it: `make invoke EVENT=events/04-….json`.

    python -m local.invoke [--binary PATH] EVENT      on the local AWS, with the account of `account.py`
    python -m local.invoke --remote STACK EVENT       to the deployed function of a CloudFormation stack

The exit status is 1 if the invocation failed. A deployed function gets the event with the caller's account in place of
the sample's; the sample's result token is TESTMODE, at which AWS Config stores nothing. An event is `-` for the
standard input.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

from local.identifiers import ACCOUNT

# As long as the function may run. Whoever asks again while it runs would run it twice.
PATIENCE = {"read_timeout": 900, "retries": {"total_max_attempts": 1}}


class Failed(Exception):
    """What keeps the event from being sent, in a sentence for whoever sent it."""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "event", help="file with a whole Lambda event, such as those in events/; - for the standard input"
    )
    arguments.add_argument("--binary", help="the function's binary, on the local AWS (default: the debug build)")
    arguments.add_argument(
        "--remote", metavar="STACK", help="send it to the function of this CloudFormation stack instead"
    )
    options = arguments.parse_args()
    try:
        event = read(options.event)
        ok = remote(options.remote, event) if options.remote else local(options.binary, event)
    except Failed as failure:
        sys.exit(f"error: {failure}")
    sys.exit(0 if ok else 1)


def read(path):
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        event = json.loads(text)
    except OSError as error:
        raise Failed(f"event `{path}` cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"event `{path}` is no JSON: {error}") from error
    if not isinstance(event, dict):
        raise Failed(f"event `{path}` is no JSON object")
    return event


def local(binary, event):
    """Sends the event to the binary on the local AWS."""
    from local.lab.lab import Lab, default_binary
    from local.lab.processes import Interrupted, ProgramFailed

    lab = Lab(binary or default_binary(), on_step=lambda text: print(f"==> {text}", file=sys.stderr, flush=True))
    lab.processes.catch_signals()
    try:
        with lab:
            rule, account = event.get("configRuleName") or "invoked", event.get("accountId") or ACCOUNT
            answer = lab.send(event, rule)
            section("answer", answer.payload)
            section(
                "AWS Config now holds", {identity: shown(e) for identity, e in lab.evaluations(rule, account).items()}
            )
            section("AWS Security Hub now holds", {identity: shown(f) for identity, f in lab.findings(account).items()})
            print_log("log", lab.function_log())
            return answer.ok
    except Interrupted as stop:
        sys.exit(stop.exit_code)
    except ProgramFailed as failure:
        raise Failed(f"{failure}\n{failure.log}".rstrip()) from failure
    except FileNotFoundError as missing:
        raise Failed(missing) from missing


def shown(held):
    """Of an evaluation or a finding what a reader looks at first."""
    if "ComplianceType" in held:
        return " ".join(filter(None, [held["ComplianceType"], held.get("Annotation")]))
    return f"{held['RecordState']} {held['Compliance']['Status']} {held['Severity']['Label']} {held['Title']}"


def remote(stack, event):
    """Sends the event to the deployed function, with the caller's credentials and region."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        functions, stacks = boto3.client("lambda", config=Config(**PATIENCE)), boto3.client("cloudformation")
        account = boto3.client("sts").get_caller_identity()["Account"]
        answer = functions.invoke(
            FunctionName=function_name(stacks, stack),
            LogType="Tail",
            Payload=json.dumps(event).replace(ACCOUNT, account).encode(),
        )
    except (BotoCoreError, ClientError) as error:
        raise Failed(error) from error
    section("answer", json.load(answer["Payload"]))
    print_log("end of the log", base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"))
    return "FunctionError" not in answer


def function_name(cloudformation, stack):
    """The stack's output `FunctionName`. Where there is no such stack, CloudFormation says so."""
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    for output in described.get("Outputs", []):
        if output["OutputKey"] == "FunctionName":
            return output["OutputValue"]
    raise Failed(
        f"stack `{stack}` has no output `FunctionName`: it is not one of template.yaml, or was not created to its end"
    )


def section(title, value):
    print(f"{title}:\n{json.dumps(value, indent=2, ensure_ascii=False)}\n", flush=True)


def print_log(title, text):
    print(f"{title}:\n{text.rstrip()}", flush=True)


if __name__ == "__main__":
    main()
