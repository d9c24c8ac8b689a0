"""Account id, regions, access keys and derived ids that all modules of `local/` share."""

import base64
import hashlib

ACCOUNT = "123456789012"
# An account that the function can read with a role there.
OTHER_ACCOUNT = "210987654321"
REGION = "us-east-1"
# Some AWS regions with their status in this account: enabled by default, enabled by opt-in, disabled.
REGIONS = {
    "us-east-1": "ENABLED_BY_DEFAULT",
    "us-west-2": "ENABLED_BY_DEFAULT",
    "eu-central-1": "ENABLED_BY_DEFAULT",
    "eu-west-1": "ENABLED_BY_DEFAULT",
    "eu-south-1": "ENABLED",
    "me-south-1": "DISABLED",
}
# Access key ids: 20 capital letters and digits, as moto requires. They separate the function's calls from all others.
FUNCTION_KEY = "LOCALFUNCTIONKEY0001"
OPERATOR_KEY = "LOCALOPERATORKEY0001"
SUBNETS = ("subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002")


def unique_id(prefix, name):
    """The RoleId or PolicyId of a name. AWS draws ids at random; derived ids can be written into `events/`."""
    digest = base64.b32encode(hashlib.sha256(f"{prefix}/{name}".encode()).digest()).decode()
    return prefix + digest[:17]


def issuer(region, cluster):
    """The URL of a cluster's OIDC provider. Trust policies of pod roles name it."""
    digest = hashlib.sha256(f"{region}/{cluster}".encode()).hexdigest()
    return f"https://oidc.eks.{region}.amazonaws.com/id/{digest[:32].upper()}"
