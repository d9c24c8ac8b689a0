"""`make deploy TAGS=…` passes tags to the stack, and the page names every resource that gets them."""

import re
import subprocess

import pytest

from local import ROOT
from local.templates.resolve import EVERY_PART, resolved
from local.templates.resource_types import TYPES

PAGE = (ROOT / "docs/tasks/company-rules.md").read_text()
# How the page names the types.
NAMES = {
    "AWS::CloudWatch::Alarm": "the alarms",
    "AWS::Events::Rule": "the event rule",
    "AWS::IAM::Role": "its role",
    "AWS::KMS::Key": "its key",
    "AWS::Lambda::Function": "the function",
    "AWS::Logs::LogGroup": "the log group",
    "AWS::SNS::Topic": "the topic",
    "AWS::SQS::Queue": "the failure queue",
}


def deploy(*arguments):
    command = ["make", "--dry-run", "deploy", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    joined = ran.stdout.replace("\\\n", " ")
    (step,) = (line for line in joined.splitlines() if "sam deploy " in line)
    return " ".join(step.split())


def test_page_names_every_resource_that_takes_tags():
    resources = resolved(ROOT / "template.yaml", EVERY_PART["template.yaml"])["Resources"].values()
    assert {resource["Type"] for resource in resources if TYPES[resource["Type"]].takes_tags} == NAMES.keys()
    (sentence,) = re.findall(r"(?s)- (Tags reach .*?\.)\n", PAGE)
    assert [name for name in NAMES.values() if name not in " ".join(sentence.split())] == []


@pytest.mark.parametrize("tags", ["team=platform", "team=platform cost-centre=1234"])
def test_make_passes_tags(tags):
    assert f" --tags {tags} " in deploy(f"TAGS={tags}")


def test_make_without_tags_passes_none():
    assert "--tags" not in deploy("TAGS=")


def test_make_accepts_a_named_role():
    assert " --capabilities CAPABILITY_NAMED_IAM " in deploy()
