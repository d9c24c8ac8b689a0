"""`make deploy` reserves concurrency where the account's limit allows it (`local/reserved_concurrency.py`)."""

import boto3
import pytest
from moto import mock_aws

from local.reserved_concurrency import choice, current_value


@pytest.mark.parametrize(
    "unreserved, current, parameter",
    [
        (1000, "", "ReservedConcurrency=3"),
        (103, "", "ReservedConcurrency=3"),
        # Lambda keeps 100 for other functions.
        (102, "", None),
        # The limit of many new accounts.
        (10, "", None),
        # The operator has chosen a number.
        (1000, "20", None),
    ],
)
def test_reservation_follows_from_limit_and_stack(unreserved, current, parameter):
    chosen, reason = choice(unreserved, current)
    assert (chosen, bool(reason)) == (parameter, parameter is None)


@mock_aws
def test_value_of_a_stack_is_read():
    client = boto3.client("cloudformation", "us-east-1")
    assert current_value(client, "node-roles") == ""
    template = {
        "Parameters": {"ReservedConcurrency": {"Type": "String", "Default": ""}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    }
    client.create_stack(
        StackName="node-roles",
        TemplateBody=str(template).replace("'", '"'),
        Parameters=[{"ParameterKey": "ReservedConcurrency", "ParameterValue": "7"}],
    )
    assert current_value(client, "node-roles") == "7"
