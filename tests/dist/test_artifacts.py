"""The artefacts of `make dist`, installed and run as users do: in empty folders, and without Rust."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from local import ROOT
from local.lab import events
from local.lab.lab import Lab
from local.release import build, package, sums
from local.release.dist import PROGRAMS, crates, parts
from local.release.toolchain import ARCHITECTURES, has_target
from local.templates.plain import plain
from local.templates.resolve import Loader

ACCOUNT = ROOT / "examples" / "account.json"
EVENT = ROOT / "events" / "04-role-changed-non-compliant.json"
# Lambda's name of this machine's processor, and the Rust target of the programs that run here.
HERE = next(name for name, processor in package.RUNS_ON.items() if processor == platform.machine())
TARGET = ARCHITECTURES[HERE]


def only(folder, pattern):
    """The one file of a folder that matches."""
    (found,) = folder.glob(pattern)
    return found


def run(command, environment, **more):
    command = [str(word) for word in command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)


def expected_names():
    """The files that a release of this machine has."""
    compiled = [name.split(" ")[0] for target, name, _ in parts(zig=False) if has_target(target)]
    return {
        *compiled,
        *(f"{name}.yaml" for name in (build.FUNCTION, *build.TEMPLATES)),
        *(f"{name}.cdx.json" for name in PROGRAMS),
        build.LICENCES,
        "terraform.zip",
        sums.NAME,
    }


def test_release_has_every_file_and_no_other(dist):
    names = {path.name for path in dist.iterdir()}
    wheels = {name for name in names if name.endswith(".whl")}
    assert names - wheels == expected_names()
    assert len(wheels) == sum(name.endswith(".tar.gz") for name in names)


def test_digests_are_right(dist):
    subprocess.run(["sha256sum", "--check", "--strict", sums.NAME], cwd=dist, check=True, capture_output=True)
    assert sums.read(dist).keys() == {path.name for path in dist.iterdir()} - {sums.NAME}


# The command line


def installed_from_archive(dist, folder, environment):
    with tarfile.open(only(dist, f"*{TARGET}.tar.gz")) as opened:
        opened.extractall(folder, filter="data")
        assert sorted(opened.getnames()) == ["LICENSE", build.LICENCES, build.COMMAND_LINE]
    return folder / build.COMMAND_LINE


def installed_from_wheel(dist, folder, environment):
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    wheel = only(dist, f"*manylinux*{platform.machine()}.whl")
    done = run([folder / "venv/bin/python", "-m", "pip", "install", "--no-index", wheel], environment)
    assert done.returncode == 0, done.stderr
    return folder / "venv/bin" / build.COMMAND_LINE


@pytest.mark.parametrize("install", [installed_from_archive, installed_from_wheel])
def test_command_line_finds_the_excess_of_the_example(dist, tmp_path, without_rust, install):
    program = install(dist, tmp_path, without_rust)
    shutil.copy(ACCOUNT, tmp_path / "account.json")
    found = run([program, "check", "--account-details", "account.json"], without_rust, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (1, "")
    assert "NON_COMPLIANT   media-build-node can call ecr:PutImage" in found.stdout
    assert run([program, "--version"], without_rust).stdout.startswith(f"{build.COMMAND_LINE} {build.version()}")


def test_command_line_needs_glibc_2_17_at_most(dist, tmp_path, without_rust):
    program = installed_from_archive(dist, tmp_path, without_rust)
    listed = run(["readelf", "--version-info", "--wide", program], os.environ).stdout
    needed = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_(\d+\.\d+)", listed)}
    assert needed and max(needed) <= (2, 17)


# The function


def function_zip(dist):
    """The function for this machine's processor."""
    return dist / build.function_name(HERE)


def test_function_package_is_within_the_limits(dist, without_rust):
    for path in dist.glob("bootstrap-*.zip"):
        checked = run([sys.executable, "-m", "local.measure.check_binary", path], without_rust, cwd=ROOT)
        assert checked.returncode == 0, checked.stderr
        assert path.name == build.function_name(package.function(path)[1])


def test_function_finds_excess_without_compiling(dist, without_rust, capsys):
    started = time.monotonic()
    command = ["make", "demo", f"ZIP={function_zip(dist)}", f"PYTHON={sys.executable}"]
    shown = run(command, without_rust, cwd=ROOT)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "NON_COMPLIANT" in shown.stdout
    with capsys.disabled():
        print(f"\n    from the zip to the verdicts of the demo: {time.monotonic() - started:.1f} s")


def test_event_of_a_released_function_is_answered(dist, without_rust):
    command = ["make", "invoke", f"EVENT={EVENT}", f"ZIP={function_zip(dist)}", f"PYTHON={sys.executable}"]
    answered = run(command, without_rust, cwd=ROOT)
    assert answered.returncode == 0, answered.stderr
    assert "NON_COMPLIANT" in answered.stdout


def emulated(path, folder):
    """A script that runs the function of a zip under QEMU, with the C library of Debian's package libc6-arm64-cross."""
    content, built_for = package.function(path)
    (folder / "bootstrap").write_bytes(content)
    processor = package.RUNS_ON[built_for]
    emulator = shutil.which(f"qemu-{processor}-static") or shutil.which(f"qemu-{processor}")
    if emulator is None:
        pytest.fail(f"qemu-{processor} is not installed: on Debian, install qemu-user and libc6-arm64-cross")
    script = folder / "function"
    script.write_text(f"#!/bin/sh\nexec {emulator} -L /usr/{processor}-linux-gnu {folder / 'bootstrap'}\n")
    for file in folder.iterdir():
        file.chmod(0o755)
    return script


def test_function_for_another_processor_answers_an_event(dist, tmp_path):
    others = [path for path in dist.glob("bootstrap-*.zip") if path.name != build.function_name(HERE)]
    if not others:
        pytest.skip("this machine cannot build a function for another processor")
    for path in others:
        with Lab(emulated(path, tmp_path), emulator=False) as lab:
            answer = lab.send(json.loads(EVENT.read_text()), events.RULE)
            assert answer.ok, answer.error
            assert "NON_COMPLIANT" in {each["ComplianceType"] for each in lab.evaluations(events.RULE).values()}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_sam_builds_the_same_function(dist):
    if not os.environ.get("SAM_BUILD"):
        pytest.skip("SAM_BUILD names no folder that `make package` has built from this commit, with or without ZIG=1 as dist/")
    built = ROOT / os.environ["SAM_BUILD"] / "Function" / "bootstrap"
    assert sha256(package.function(function_zip(dist))[0]) == sha256(built.read_bytes())


@pytest.fixture
def bucket():
    """The name of a bucket, and the variables that point SAM to its moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }
    client = boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    client.create_bucket(Bucket="artifacts")
    yield client, settings
    server.stop()


def test_sam_uploads_the_zip_unchanged(dist, tmp_path, without_rust, bucket):
    client, settings = bucket
    path = function_zip(dist)
    package.template(path, tmp_path / "template.yaml")
    sam = ROOT / os.environ["SAM"]
    command = [sam, "package", "--template-file", tmp_path / "template.yaml", "--s3-bucket", "artifacts"]
    packaged = run([*command, "--output-template-file", tmp_path / "packaged.yaml"], {**without_rust, **settings})
    assert packaged.returncode == 0, packaged.stderr
    template = yaml.load((tmp_path / "packaged.yaml").read_text(), Loader)
    key = template["Resources"]["Function"]["Properties"]["CodeUri"].removeprefix("s3://artifacts/")
    assert client.get_object(Bucket="artifacts", Key=key)["Body"].read() == path.read_bytes()


# What the artefacts hold


def contents(path):
    """The files in an artefact, by name. An artefact that is no archive holds itself."""
    if path.suffix in (".zip", ".whl"):
        with zipfile.ZipFile(path) as opened:
            return {name: opened.read(name) for name in opened.namelist()}
    if path.suffix == ".gz":
        with tarfile.open(path) as opened:
            return {member.name: opened.extractfile(member).read() for member in opened.getmembers()}
    return {path.name: path.read_bytes()}


def test_no_artefact_names_a_folder_of_the_machine(dist):
    folders = [str(folder).encode() for folder in (ROOT, build.target_folder(), os.environ["HOME"] + "/")]
    for path in dist.iterdir():
        for name, content in contents(path).items():
            assert not [folder for folder in folders if folder in content], f"{path.name}: {name}"


def test_templates_are_those_of_the_checkout(dist):
    assert (dist / f"{build.FUNCTION}.yaml").read_text() == plain(ROOT / "template.yaml")
    for name in build.TEMPLATES:
        assert (dist / f"{name}.yaml").read_bytes() == (ROOT / "deploy" / f"{name}.yaml").read_bytes()
    assert "Transform" not in yaml.load((dist / f"{build.FUNCTION}.yaml").read_text(), Loader)


def test_wheel_and_archive_hold_the_same_program(dist):
    wheel, tar = contents(only(dist, f"*manylinux*{platform.machine()}.whl")), contents(only(dist, f"*{TARGET}.tar.gz"))
    (script,) = (content for name, content in wheel.items() if name.endswith(f"/scripts/{build.COMMAND_LINE}"))
    assert script == tar[build.COMMAND_LINE]
    (licences,) = (content for name, content in wheel.items() if name.endswith(f"/licenses/{build.LICENCES}"))
    assert licences == tar[build.LICENCES] == (dist / build.LICENCES).read_bytes()


@pytest.mark.parametrize("program", PROGRAMS)
def test_bill_of_materials_has_every_crate(dist, program):
    content = json.loads((dist / f"{program}.cdx.json").read_text())
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.5")
    assert content["metadata"]["component"]["version"] == build.version()
    components = {(each["name"], each["version"]): each for each in content["components"]}
    assert crates(program) <= components.keys()
    assert all(each["licenses"] and each["hashes"] and each["purl"] for each in components.values())
