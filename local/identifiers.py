"""The account id, regions, access keys and derived ids that all of `local/` shares."""

import base64
import hashlib

ACCOUNT = "123456789012"
REGION = "us-east-1"
# Some of AWS's regions, and how this account has them: those of always, one that it opted into, one that it did not.
REGIONS = {
    "us-east-1": "ENABLED_BY_DEFAULT",
    "us-west-2": "ENABLED_BY_DEFAULT",
    "eu-central-1": "ENABLED_BY_DEFAULT",
    "eu-west-1": "ENABLED_BY_DEFAULT",
    "eu-south-1": "ENABLED",
    "me-south-1": "DISABLED",
}
# Access key ids: twenty capitals and digits, as moto asks. They tell the function's calls from everybody else's.
FUNCTION_KEY = "LOCALFUNCTIONKEY0001"
OPERATOR_KEY = "LOCALOPERATORKEY0001"


def unique_id(prefix, name):
    """The RoleId or PolicyId of a name. AWS draws them at random; derived, the files in `events/` can hold them."""
    digest = base64.b32encode(hashlib.sha256(f"{prefix}/{name}".encode()).digest()).decode()
    return prefix + digest[:17]


def issuer(region, cluster):
    """The URL of a cluster's OIDC provider, which the trust policies of its pods' roles name."""
    digest = hashlib.sha256(f"{region}/{cluster}".encode()).hexdigest()
    return f"https://oidc.eks.{region}.amazonaws.com/id/{digest[:32].upper()}"
