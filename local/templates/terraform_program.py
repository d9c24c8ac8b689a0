"""Evaluates a Terraform module with Terraform itself, but without a provider: nothing is downloaded.

Each resource becomes a `terraform_data` of Terraform's built-in provider, with the arguments as its input. References
to resources become values that the caller gives. So Terraform checks the module's expressions and variables, but not
the names and types of the provider's arguments.
"""

import json
import os
import re
import subprocess
from pathlib import Path

from local.templates.terraform import Evaluated, Resource

_ENVIRONMENT = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
_SPECIAL = {"count", "for_each", "depends_on"}


def terraform(folder, *words):
    """Runs Terraform in a folder."""
    return subprocess.run(
        ["terraform", f"-chdir={folder}", *words],
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )


def _run(folder, *words):
    ran = terraform(folder, *words)
    if ran.returncode:
        raise RuntimeError(f"terraform {words[0]}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def evaluated(folder, module, values, data, attribute):
    """What `Module.evaluated` gives, but from `terraform plan`. The resources have no `depends_on`."""
    folder = Path(folder)
    (folder / "main.tf").write_text(_without_provider(module, data, attribute), encoding="utf-8")
    (folder / "values.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
    _run(folder, "init", "-backend=false")
    _run(folder, "plan", "-var-file=values.tfvars.json", "-out=plan")
    planned = json.loads(_run(folder, "show", "-json", "plan"))["planned_values"]
    resources = {}
    for resource in planned["root_module"].get("resources", []):
        address = resource["name"].replace("__", ".")
        index = resource.get("index", 0)
        suffix = "" if index == 0 else f"[{json.dumps(index)}]"
        resources[address + suffix] = Resource(_without_null(resource["values"]["input"]), [])
    return Evaluated(resources, {name: output.get("value") for name, output in planned.get("outputs", {}).items()})


def plan_with_values_known_later(folder, module, values, later, data, attribute):
    """Plans a root module that calls the module. In `later`, LATER is a value that no plan knows."""
    folder = Path(folder)
    (folder / "module").mkdir()
    (folder / "module" / "main.tf").write_text(_without_provider(module, data, attribute), encoding="utf-8")
    known = {name: _literal(value) for name, value in values.items()}
    unknown = {name: expression.replace("LATER", "terraform_data.later.id") for name, expression in later.items()}
    arguments = "".join(f"  {name} = {expression}\n" for name, expression in {**known, **unknown}.items())
    (folder / "main.tf").write_text(
        f'resource "terraform_data" "later" {{}}\n\nmodule "called" {{\n  source = "./module"\n{arguments}}}\n',
        encoding="utf-8",
    )
    _run(folder, "init", "-backend=false")
    return _run(folder, "plan")


def refusals(folder, module, cases):
    """For each case `(name, values, refused variable or None)`: whether Terraform answers as the case says."""
    folder = Path(folder)
    (folder / "main.tf").write_text(_variables(module), encoding="utf-8")
    runs = []
    for name, values, refused in cases:
        lines = [f"    {key} = {_literal(value)}" for key, value in values.items()]
        expected = f"  expect_failures = [var.{refused}]\n" if refused else ""
        runs.append(
            f'run "{name}" {{\n  command = plan\n  variables {{\n' + "\n".join(lines) + f"\n  }}\n{expected}}}\n"
        )
    (folder / "cases.tftest.hcl").write_text("".join(runs), encoding="utf-8")
    _run(folder, "init", "-backend=false")
    lines = [json.loads(line) for line in terraform(folder, "test", "-json").stdout.splitlines()]
    return {
        line["test_run"]["run"]: line["test_run"]["status"] == "pass"
        for line in lines
        if line["type"] == "test_run" and line["test_run"].get("progress") == "complete"
    }


def _literal(value):
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _variables(module):
    return "".join(f'variable "{name}" {{\n{_source(block)}}}\n' for name, block in module.variables.items())


def _source(block):
    """The text of a block's content."""
    lines = [f"{name} = {block.source(expression)}\n" for name, expression in block.attributes.items()]
    return "".join(lines + [f"{inner.type} {{\n{_source(inner)}}}\n" for inner in block.blocks])


def _without_provider(module, data, attribute):
    parts = [_variables(module), "locals {\n"]
    parts += [f"{name} = {_renamed(module.source(expression))}\n" for name, expression in module.locals.items()]
    parts += [f"data_{kind} = {_literal(value)}\n" for kind, value in data.items()]
    texts = [module.text]
    for address, block in module.resources.items():
        names = set(re.findall(rf"\b{address}(?:\[0\]|\[\*\])?\.(\w+)", texts[0]))
        if names:
            known = _literal({name: _or_absent(attribute, address, name) for name in sorted(names)})
            if "count" in block.attributes:
                known = f"[for i in range({_renamed(block.source(block.attributes['count']))}) : {known}]"
            parts.append(f"{_label(address)} = {known}\n")
    parts.append("}\n")
    for address, block in module.resources.items():
        meta = [
            f"{name} = {_renamed(block.source(block.attributes[name]))}\n"
            for name in ("count", "for_each")
            if name in block.attributes
        ]
        parts.append(
            f'resource "terraform_data" "{_label(address)}" {{\n{"".join(meta)}input = {_as_object(block)}\n}}\n'
        )
    for name, block in module.outputs.items():
        parts.append(f'output "{name}" {{\n{_renamed(_source(block))}}}\n')
    return "".join(parts)


def _or_absent(attribute, address, name):
    try:
        return attribute(address, name)
    except KeyError:
        return "absent"


def _label(address):
    return address.replace(".", "__")


def _renamed(text):
    """References to resources and data sources as references to locals."""
    text = re.sub(r"\bdata\.(aws_\w+)\.\w+", r"local.data_\1", text)
    return re.sub(r"(?<![\w.])(aws_[a-z_]+)\.([a-z_]+)", r"local.\1__\2", text)


def _as_object(block):
    """The arguments of a block as an object, its blocks as lists."""
    members = [
        f"{name} = {_renamed(block.source(expression))}"
        for name, expression in block.attributes.items()
        if name not in _SPECIAL
    ]
    lists = {}
    for inner in block.blocks:
        if inner.type == "dynamic":
            (kind,), (content,) = inner.labels, inner.blocks
            items = _renamed(inner.source(inner.attributes["for_each"]))
            text = f"[for {kind} in [for value in {items} : {{ value = value }}] : {_as_object(content)}]"
        else:
            kind, text = inner.type, f"[{_as_object(inner)}]"
        lists.setdefault(kind, []).append(text)
    members += [f"{kind} = concat({', '.join(texts)})" for kind, texts in lists.items()]
    return "{\n" + "\n".join(members) + "\n}"


def _without_null(value):
    """Arguments that are null, and blocks of which there is none, do not exist."""
    return {name: one for name, one in value.items() if one not in (None, [])}
