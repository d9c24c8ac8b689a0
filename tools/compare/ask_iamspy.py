"""Asks IAMSpy whether the roles can send the requests: `Model.can_i`, a role at a time.

Reads the lines that `compare.py` writes from the standard input. Writes an object per line: `{"role", "reported",
"error"}`, where `reported` is the first request that IAMSpy calls possible, or null.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

import z3
from zeuscloud_iamspy import Model

# It solves most requests in some milliseconds.
TIMEOUT_MILLISECONDS = 5_000

AT = "2027-01-15T08:00:00Z"


def known(role):
    """What is known of each request, as a file of conditions: the same keys that iam-simulate gets."""
    account = role["Arn"].split(":")[4]
    tags = {f"aws:PrincipalTag/{tag['Key']}": tag["Value"] for tag in role["Tags"]}
    texts = {"aws:PrincipalAccount": account, "aws:ResourceAccount": account, "aws:PrincipalType": "AssumedRole"}
    return {
        "StringEquals": {**texts, **tags, "aws:PrincipalArn": role["Arn"]},
        "ArnEquals": {"aws:PrincipalArn": role["Arn"]},
        "Bool": {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "false"},
        "DateGreaterThanEquals": {"aws:CurrentTime": AT},
    }


def first_possible(details, requests):
    model = Model()
    model.load_gaad_json(details)
    Path("known.json").write_text(json.dumps(known(details["RoleDetailList"][0])))
    role = details["RoleDetailList"][0]["Arn"]
    unsolved = None
    for action, resource in requests:
        # It wants an ARN also where IAM asks for `*`: one that names no repository.
        resource = resource if resource != "*" else f"arn:aws:ecr:us-east-1:{role.split(':')[4]}:registry"
        # With `debug` it gives the solver, so that a timeout is not taken for a no.
        answer = model.can_i(role, action, resource, condition_file="known.json", debug=True).check()
        if answer == z3.sat:
            return [action, resource], None
        if answer == z3.unknown:
            unsolved = f"no answer within {TIMEOUT_MILLISECONDS} ms"
    return None, unsolved


def main():
    logging.disable(logging.CRITICAL)
    z3.set_param("timeout", TIMEOUT_MILLISECONDS)
    with tempfile.TemporaryDirectory() as folder:
        # It writes a file `model.vars` where it runs.
        os.chdir(folder)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                reported, error = first_possible(asked["details"], asked["requests"])
            except Exception as problem:  # any failure of the tool is a result of the comparison
                reported, error = None, f"{type(problem).__name__}: {problem}"
            print(json.dumps({"role": asked["role"], "reported": reported, "error": error}))


if __name__ == "__main__":
    main()
