"""Writes template.yaml as plain CloudFormation, for stack sets and for deployments without SAM.

    python -m local.templates.plain FILE

The plain template has no transform. Its parameters `CodeBucket` and `CodeKey` name the function's package in S3. The
resources have the same logical ids as in a stack that SAM deploys, so such a stack can be updated to the plain
template. Comments, notes for checkov and metadata of SAM are left out. The same source gives the same bytes.
"""

import sys
from pathlib import Path

from local import ROOT
from local.templates.resolve import load, transformed
from local.templates.yaml_text import yaml_text

SOURCE = ROOT / "template.yaml"
# CloudFormation takes a template of this size without a bucket
# (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html).
MOST_BYTES = 51_200

CODE_PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "MinLength": 3,
        "MaxLength": 63,
        "AllowedPattern": r"^[a-z0-9]([a-z0-9-]|\.(?!\.))*[a-z0-9]$",
        "Description": "Name of the S3 bucket that holds the function's package. It must be in the stack's region.",
        "ConstraintDescription": "must be the name of an S3 bucket, without s3://.",
    },
    "CodeKey": {
        "Type": "String",
        "MinLength": 1,
        "MaxLength": 1024,
        "AllowedPattern": r"^[A-Za-z0-9!_.*'()=+@,-][A-Za-z0-9!_.*'()=+@,/-]*$",
        "Description": (
            "Key of the function's package in the bucket, such as 1.0.0/bootstrap-x86_64.zip. Use a new key for each "
            "version: CloudFormation does not notice another package under the same key."
        ),
        "ConstraintDescription": "must be the key of an object, without a / in front, 1024 characters at most.",
    },
}
# Values of these parameters, for checks and tests.
CODE_EXAMPLE = {"CodeBucket": "bucket", "CodeKey": "1.0.0/bootstrap-x86_64.zip"}
CODE_GROUP = {"Label": {"default": "Package of the function"}, "Parameters": [*CODE_PARAMETERS]}
CODE_LABELS = {"CodeBucket": {"default": "Bucket"}, "CodeKey": {"default": "Key"}}


def plain(source=SOURCE):
    """The template as plain CloudFormation: YAML text."""
    return "# Made from template.yaml. Change that file instead.\n" + yaml_text(plain_template(source))


def plain_template(source=SOURCE):
    """The same as an object, with the long forms of functions."""
    template = transformed(source, {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}})
    written = load(source)["Resources"]
    template["Resources"] = {name: template["Resources"][name] for name in written} | template["Resources"]
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"] = [CODE_GROUP, *interface["ParameterGroups"]]
    interface["ParameterLabels"] = {**CODE_LABELS, **interface["ParameterLabels"]}
    template["Metadata"] = {"AWS::CloudFormation::Interface": interface}
    template["Parameters"] = {**CODE_PARAMETERS, **template["Parameters"]}
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
        _remove_tag_of_sam(resource["Properties"])
    return template


def _remove_tag_of_sam(properties):
    """SAM tags what it creates with `lambda:createdBy`."""
    tags = [tag for tag in properties.pop("Tags", []) if tag["Key"] != "lambda:createdBy"]
    if tags:
        properties["Tags"] = tags


def main():
    Path(sys.argv[1]).write_text(plain(), encoding="utf-8")


if __name__ == "__main__":
    main()
