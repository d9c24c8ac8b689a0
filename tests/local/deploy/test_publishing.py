"""The metadata of template.yaml satisfy the AWS Serverless Application Repository, and `SOURCE_URL` gets into them.

The limits are those of
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html
"""

import os
import re
import subprocess
import sys

import pytest
import yaml

from local import ROOT
from local.source_url import SECTION, checked, with_source
from local.templates.resolve import EVERY_PART, Loader, load, resolved
from local.templates.yaml_text import yaml_text

TEMPLATE = ROOT / "template.yaml"
CARGO = dict(re.findall(r'(?m)^(version|license) = "(.*)"$', (ROOT / "Cargo.toml").read_text().split("\n[")[0]))
# Property: pattern, maximum length.
LIMITS = {
    "Name": (r"[a-zA-Z0-9\-]+", 140),
    "Description": (r"(?s).+", 256),
    "Author": (r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", 127),
    # https://semver.org
    "SemanticVersion": (r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?", 128),
}
GOOD = [
    "https://example.com",
    "https://example.com/",
    "https://code.example.com/owner/name",
    "https://example.com:8443/~team/name.git",
    "HTTPS://Example.com/Owner/Name_1%20",
]
BAD = [
    "",
    " ",
    "example.com/owner/name",
    "http://example.com/owner/name",
    "git@example.com:owner/name.git",
    "ssh://example.com/owner/name",
    "https://",
    "https:///owner",
    "https://localhost/name",
    "https://user:secret@example.com/name",
    "https://example.com/a b",
    " https://example.com/name",
    "https://example.com/name\n",
    "https://example.com/name;rm",
    "https://example.com/$(x)",
    "https://example.com/'x'",
    "https://-example.com/x",
    "javascript:alert(1)//https://example.com",
]


@pytest.fixture(scope="module")
def section():
    return load(TEMPLATE)["Metadata"][SECTION]


@pytest.mark.parametrize("name", LIMITS)
def test_property_is_within_the_limits(section, name):
    pattern, longest = LIMITS[name]
    assert re.fullmatch(pattern, section[name]) and 1 <= len(section[name]) <= longest


def test_labels_are_within_the_limits(section):
    assert 1 <= len(section["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in section["Labels"])


@pytest.mark.parametrize("name", ["LicenseUrl", "ReadmeUrl"])
def test_file_exists_and_is_small_enough(section, name):
    assert 0 < (ROOT / section[name]).stat().st_size <= 5_000_000


def test_version_and_license_are_those_of_the_crate(section):
    assert (section["SemanticVersion"], section["SpdxLicenseId"]) == (CARGO["version"], CARGO["license"])


def test_template_names_no_address(section):
    assert not {"HomePageUrl", "SourceCodeUrl"} & section.keys()


@pytest.mark.parametrize("url", GOOD)
def test_https_address_is_accepted(url):
    assert checked(url) == url


@pytest.mark.parametrize("url", BAD)
def test_other_address_is_refused(url):
    with pytest.raises(ValueError, match="SOURCE_URL must be an https address"):
        checked(url)


def run(url, *arguments):
    command = [sys.executable, "-m", "local.source_url", *map(str, arguments)]
    environment = {**os.environ, "SOURCE_URL": url}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("written", [TEMPLATE.read_text(), yaml.safe_dump(load(TEMPLATE))], ids=["short", "long"])
def test_address_is_the_only_change_of_the_template(tmp_path, written):
    """SAM writes functions in their long form."""
    path = tmp_path / "packaged.yaml"
    path.write_text(written)
    assert run(GOOD[2], path).returncode == 0
    template = load(path)
    assert template == with_source(load(TEMPLATE), GOOD[2])
    section = template["Metadata"][SECTION]
    assert section.pop("HomePageUrl") == section.pop("SourceCodeUrl") == GOOD[2]
    assert template == load(TEMPLATE)
    every_part = EVERY_PART["template.yaml"]
    assert resolved(path, every_part)["Resources"] == resolved(TEMPLATE, every_part)["Resources"]


def test_refused_address_leaves_the_template_alone(tmp_path):
    path = tmp_path / "packaged.yaml"
    path.write_text(TEMPLATE.read_text())
    for arguments in ([], [path]):
        ran = run("http://example.com", *arguments)
        assert ran.returncode == 1
        assert ran.stderr == "SOURCE_URL must be an https address, such as https://example.com/owner/name; it is 'http://example.com'\n"  # fmt: skip
    assert path.read_text() == TEMPLATE.read_text()


def test_written_template_reads_back():
    assert yaml.load(yaml_text(load(TEMPLATE)), Loader) == load(TEMPLATE)


def make(*arguments):
    command = ["make", "--dry-run", "package", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_checks_the_address_first_and_writes_it_last():
    steps = make("BUCKET=name", f"SOURCE_URL={GOOD[2]}").stdout.splitlines()
    at = {
        word: next(number for number, step in enumerate(steps) if re.search(word, step))
        for word in (
            r"source_url$",
            r"local\.release\.build function",
            "sam package",
            r"source_url \.aws-sam/packaged\.yaml",
        )
    }
    assert list(at.values()) == sorted(at.values())


def test_make_without_an_address_writes_none():
    ran = make("BUCKET=name")
    assert ran.returncode == 0 and "source_url" not in ran.stdout


def test_make_refuses_an_address_without_a_bucket():
    ran = make(f"SOURCE_URL={GOOD[2]}")
    assert ran.returncode != 0 and "SOURCE_URL needs BUCKET" in ran.stderr
