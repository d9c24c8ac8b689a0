"""Writes a template as YAML: functions in their short form, short lists and objects on one line, long texts folded."""

import re

import yaml

from local.templates.resolve import Loader

WIDTH = 110
# A list or an object with at most this many characters is on one line.
SHORT = 90


def yaml_text(template):
    """The YAML of a template that has the long forms of functions."""
    dumped = yaml.dump(template, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    spaced = _spaced(dumped)
    # A text of several lines can look like a resource or a function. Then the template stays as PyYAML writes it.
    return spaced if yaml.load(spaced, Loader) == yaml.load(dumped, Loader) else dumped


def _spaced(text):
    """PyYAML puts quotes around the argument of a tag, and no empty lines between resources. This does the opposite."""
    text = re.sub(r"!(Ref|GetAtt|Condition) '([\w:.]+)'", r"!\1 \2", text)
    text = re.sub(r"(?m)^((?:  )?[A-Z]\w+:\n)", r"\n\1", text)
    return re.sub(r"(?m)^(\w+:\n)\n", r"\1", text)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, indentless=False)


def _short_form(data):
    """The tag and the argument of a function, or None."""
    if len(data) != 1:
        return None
    ((name, argument),) = data.items()
    if name == "Ref" or (name == "Condition" and isinstance(argument, str)):
        return f"!{name}", argument
    if name == "Fn::GetAtt":
        return "!GetAtt", ".".join(argument)
    return (f"!{name[4:]}", argument) if name.startswith("Fn::") else None


def _represent_object(dumper, data):
    if (function := _short_form(data)) is None:
        node = dumper.represent_mapping("tag:yaml.org,2002:map", data)
    else:
        tag, argument = function
        node = dumper.represent_data(argument)
        node.tag = tag
    return _on_one_line(node)


def _represent_list(dumper, data):
    return _on_one_line(dumper.represent_sequence("tag:yaml.org,2002:seq", data))


def _represent_text(dumper, data):
    # A literal keeps line breaks; a folded text wraps at spaces.
    style = "|" if "\n" in data else ">" if len(data) > SHORT and "  " not in data and " " in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(dict, _represent_object)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)


def _on_one_line(node):
    """Sets the flow style if the node is short and holds no text in another style."""
    if not isinstance(node, yaml.ScalarNode):
        node.flow_style = _width(node) <= SHORT
    return node


def _width(node):
    """The characters of a node on one line, about."""
    if isinstance(node, yaml.ScalarNode):
        return 1000 if node.style in ("|", ">") else len(node.value) + len(node.tag) * node.tag.startswith("!")
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    return sum(_width(part) + 2 for part in parts)
