"""The plain template is template.yaml without SAM: same resources, parameters and outputs."""

import json
import subprocess
import sys

import pytest
import yaml

from local import ROOT
from local.templates import plain as module
from local.templates.plain import CODE_EXAMPLE, CODE_PARAMETERS, MOST_BYTES, SOURCE, plain, plain_template
from local.templates.resolve import EVERY_PART, Loader, load, resolved


@pytest.fixture(scope="module")
def template(plain_path):
    return load(plain_path)


def test_text_reads_back_as_the_template(template):
    assert template == plain_template()


def test_template_fits_an_inline_body():
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert len(plain().encode()) <= MOST_BYTES
    assert len(load(SOURCE)["Description"].encode()) <= 1024


def test_bytes_do_not_depend_on_the_process(plain_path, tmp_path):
    for seed in ("1", "2"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", module.__name__, path], cwd=ROOT, env={"PYTHONHASHSEED": seed, "HOME": str(tmp_path)}, check=True
        )  # fmt: skip
        assert path.read_bytes() == plain_path.read_bytes()


def test_service_managed_stack_sets_accept_it(plain_path, template):
    """They refuse macros, transforms and nested stacks.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-custom-execution-role.html
    """
    assert "Transform" not in template and "Fn::Transform" not in json.dumps(template)
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert not [name for name in types if name.startswith(("AWS::Serverless::", "AWS::CloudFormation::"))]
    assert not [word for word in ("Serverless", "checkov", "SamResourceId", "lambda:createdBy") if word in plain_path.read_text()]  # fmt: skip
    assert template["Metadata"].keys() == {"AWS::CloudFormation::Interface"}
    assert all("Metadata" not in resource for resource in template["Resources"].values())


def test_parameters_are_those_of_the_source_and_the_package(template):
    assert template["Parameters"] == {**CODE_PARAMETERS, **load(SOURCE)["Parameters"]}
    assert all("Default" not in template["Parameters"][name] for name in CODE_PARAMETERS)
    assert (template["Rules"], template["Outputs"]) == (load(SOURCE)["Rules"], load(SOURCE)["Outputs"])
    assert template["Conditions"] == load(SOURCE)["Conditions"]


@pytest.mark.parametrize("parameters", [{}, EVERY_PART["template.yaml"]], ids=["defaults", "every part"])
def test_function_gets_its_package_from_the_parameters(plain_path, parameters):
    function = resolved(plain_path, {**parameters, **CODE_EXAMPLE})["Resources"]["Function"]["Properties"]
    assert function["Code"] == {"S3Bucket": CODE_EXAMPLE["CodeBucket"], "S3Key": CODE_EXAMPLE["CodeKey"]}
    assert "Tags" not in function


def test_own_tags_stay(tmp_path):
    """Only SAM's tag goes."""
    source = load(SOURCE)
    source["Resources"]["Function"]["Properties"]["Tags"] = {"team": "platform"}
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps(source))
    function = yaml.load(plain(path), Loader)["Resources"]["Function"]["Properties"]
    assert function["Tags"] == [{"Key": "team", "Value": "platform"}]


def test_values_that_yaml_could_change_survive(tmp_path):
    """Texts that look like other types, and texts with line breaks, spaces, quotes and tags."""
    values = ["true", "no", "null", "012", "1e3", "2012-10-17", "", " x ", "a: b", "# a", "!Ref 'Function'", "'", '"', "a\nb\n", "x " * 80, "a  b " * 40, "*", "&a", "{a}", "[a]", "é"]  # fmt: skip
    assert_survives(values, tmp_path)


def test_text_that_looks_like_the_template_survives(tmp_path):
    assert_survives(["a\nResource:\n", "a: !Ref 'Function'\nb\n"], tmp_path)
    assert_survives({"Description": "a\nNote:\n  Resource:\nb"}, tmp_path)


def assert_survives(values, tmp_path):
    source = load(SOURCE)
    source["Resources"]["Values"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": values}}
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps(source))
    text = plain(path)
    assert yaml.load(text, Loader) == plain_template(path)
    assert yaml.load(text, Loader)["Resources"]["Values"]["Properties"]["Value"] == values
