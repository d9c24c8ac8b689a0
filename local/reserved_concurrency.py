"""Prints the parameter `ReservedConcurrency=3` for `make deploy` if the account's limit allows it, else why not.

    python -m local.reserved_concurrency STACK

With few concurrent invocations, a burst of events does not use up the limits of EKS and IAM that nodes, deployments
and people share. Lambda refuses a reservation that leaves less than 100 to the other functions of the account, and new
accounts can have a limit of 10. So the templates have no default.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

RESERVED = 3
# What Lambda keeps for functions without a reservation.
UNRESERVED_MINIMUM = 100
PARAMETER = "ReservedConcurrency"


def choice(unreserved, current):
    """The parameter to set, and the reason if there is none.

    `unreserved` is the account's concurrency that no function has reserved. `current` is the stack's value; an empty
    text if the stack has none, or does not exist.
    """
    if current:
        return None, f"{PARAMETER} stays {current}"
    if unreserved < UNRESERVED_MINIMUM + RESERVED:
        return None, (
            f"{PARAMETER} stays empty: the account has {unreserved} unreserved concurrent executions, and Lambda keeps "
            f"{UNRESERVED_MINIMUM} of them for other functions"
        )
    return f"{PARAMETER}={RESERVED}", None


def current_value(cloudformation, stack):
    """The stack's value of the parameter. Empty if there is none, or no stack."""
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return ""
        raise
    parameters = {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())}
    return parameters.get(PARAMETER, "")


def main():
    try:
        limits = boto3.client("lambda").get_account_settings()["AccountLimit"]
        current = current_value(boto3.client("cloudformation"), sys.argv[1])
    except (BotoCoreError, ClientError) as error:
        print(f"{PARAMETER} is not set, because the account's limit is not known: {error}", file=sys.stderr)
        return
    parameter, reason = choice(limits["UnreservedConcurrentExecutions"], current)
    if reason:
        print(reason, file=sys.stderr)
    else:
        print(parameter)


if __name__ == "__main__":
    main()
