"""Lints what CloudFormation gets: the template after the SAM transform.

cfn-lint leaves out checks in a template with that transform (the IAM actions, patterns, a function's runtime), so a
misspelt action passes `sam validate --lint`. Usage: lint_transformed.py TEMPLATE [CFN-LINT ARGUMENT ...]
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

template = yaml_parse(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/key"  # where `sam package` would put the zip
session = boto3.Session(region_name="us-east-1")
plain = Translator({}, Parser(), boto_session=session).translate(template, parameter_values={})
with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "transformed.json")
    path.write_text(json.dumps(plain, indent=2), encoding="utf-8")
    sys.exit(subprocess.run([pathlib.Path(sys.executable).with_name("cfn-lint"), *sys.argv[2:], "--", path]).returncode)
