"""Evaluates a Terraform module without Terraform: variables and their validations, locals, resources, outputs.

    Module.read(folder).evaluated(values, attribute) -> Evaluated(resources, outputs)

`attribute(address, name)` gives the attributes of resources that only AWS knows, such as an ARN. This module supports
the expressions that our module uses. Every other one raises Unsupported: nothing is skipped. Source:
https://developer.hashicorp.com/terraform/language and the HCL specification.
"""

import base64
import hashlib
import json
import operator
import re
from dataclasses import dataclass, field
from pathlib import Path

import hcl2
from lark import Token, Tree


class Unsupported(Exception):
    """The module uses a part of the language that this evaluator does not know."""


class TerraformError(ValueError):
    """Terraform would refuse the module or the values of its variables."""


@dataclass
class Block:
    """A block: its type, its labels, its attributes as expressions, and the blocks in it."""

    type: str
    labels: list
    text: str
    attributes: dict = field(default_factory=dict)
    blocks: list = field(default_factory=list)

    def source(self, expression):
        """The text of an expression."""
        return _source(self.text, expression)


@dataclass
class Resource:
    """One resource: the arguments that are not null, blocks as lists of objects, and the names in `depends_on`."""

    arguments: dict
    depends_on: list


@dataclass
class Evaluated:
    """What Terraform would create. `resources` by address, without the index 0 of `count`."""

    resources: dict
    outputs: dict


class Module:
    """The files of a module."""

    def __init__(self, text):
        self.variables, self.locals, self.data, self.resources, self.outputs = {}, {}, {}, {}, {}
        self.settings, self.text = None, text
        content = _body(Block("module", [], text), _children(hcl2.api.parses_to_tree(text))[0])
        if content.attributes:
            raise TerraformError(f"arguments outside of blocks: {', '.join(content.attributes)}")
        for block in content.blocks:
            self._add(block)

    @classmethod
    def read(cls, folder):
        """The module in a folder."""
        return cls("\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.tf"))))

    def _add(self, block):
        match block.type, block.labels:
            case "terraform", []:
                self.settings = block
            case "locals", []:
                _unique(self.locals, block.attributes)
            case "variable", [name]:
                _unique(self.variables, {name: block})
            case "output", [name]:
                _unique(self.outputs, {name: block})
            case "data", [kind, name]:
                if block.attributes or block.blocks:
                    raise Unsupported(f"arguments of data source {kind}.{name}")
                _unique(self.data, {f"{kind}.{name}": block})
            case "resource", [kind, name]:
                _unique(self.resources, {f"{kind}.{name}": block})
            case _:
                raise Unsupported(f"block {block.type} {block.labels}")

    def source(self, expression):
        """The text of an expression."""
        return _source(self.text, expression)

    def kind(self, name):
        """The type of a variable."""
        return _type(self.variables[name].attributes["type"])

    def text_of(self, block, name):
        """The text of a block's attribute that uses no variables, such as a description."""
        return _Evaluation(self, {}, {}, None).value(block.attributes[name], {})

    def value_of(self, name):
        """The value of a local that uses no variables."""
        return _Evaluation(self, {}, {}, None).value(self.locals[name], {})

    def evaluated(self, values, data, attribute):
        """The resources and outputs with these values of the variables, and the defaults of the others."""
        evaluation = _Evaluation(self, self.variable_values(values), data, attribute)
        return Evaluated(evaluation.resources(), evaluation.outputs())

    def variable_values(self, given):
        """The values of all variables. Raises TerraformError if Terraform would refuse one."""
        if unknown := sorted(given.keys() - self.variables.keys()):
            raise TerraformError(f"variables that the module does not have: {', '.join(unknown)}")
        values, read_by = {}, {}
        plain = _Evaluation(self, {}, {}, None)
        for name, block in self.variables.items():
            _known(block, {"type", "default", "nullable", "description"}, {"validation"})
            if plain.value(block.attributes.get("nullable"), {}) is not False:
                raise Unsupported(f"variable {name} may be null")
            default = plain.value(block.attributes["default"], {})
            values[name] = converted(self.kind(name), given.get(name, default), name)
        evaluation = _Evaluation(self, values, {}, None)
        for name, block in self.variables.items():
            evaluation.read = set()
            refused = [
                evaluation.value(validation.attributes["error_message"], {})
                for validation in block.blocks
                if not _boolean(evaluation.value(validation.attributes["condition"], {}))
            ]
            read_by[name] = evaluation.read - {name} if block.blocks else set()
            if block.blocks and name not in evaluation.read:
                raise TerraformError(f"a validation of variable {name} does not name the variable")
            if refused:
                raise TerraformError(refused[0])
        for name, others in read_by.items():
            if circle := [other for other in others if name in read_by[other]]:
                raise TerraformError(f"the validations of {name} and {circle[0]} name each other, which is a cycle")
        return values


def _source(text, expression):
    tokens = list(expression.scan_values(lambda token: isinstance(token, Token)))
    return text[tokens[0].start_pos : tokens[-1].end_pos]


def _unique(known, new):
    if twice := sorted(known.keys() & new.keys()):
        raise TerraformError(f"`{twice[0]}` occurs twice")
    known.update(new)


def _known(block, attributes, blocks=frozenset()):
    unknown = [*(block.attributes.keys() - attributes), *({inner.type for inner in block.blocks} - blocks)]
    if unknown:
        raise Unsupported(f"{unknown[0]} in {block.type} {'.'.join(block.labels)}")


# The syntax tree of python-hcl2, without the tokens that carry no meaning.

_SKIPPED = {"new_line_or_comment"}
_PUNCTUATION = {
    "LPAR", "RPAR", "LBRACE", "RBRACE", "LSQB", "RSQB", "COMMA", "DOT", "EQ", "COLON", "QMARK", "DBLQUOTE",
    "INTERP_START", "FOR", "IN", "IF", "FOR_OBJECT_ARROW", "FULL_SPLAT_START",
}  # fmt: skip


def _children(tree):
    return [
        child
        for child in tree.children
        if not (child.data in _SKIPPED if isinstance(child, Tree) else child.type in _PUNCTUATION)
    ]


def _name(tree):
    """The text of an identifier, or of a string without interpolation."""
    if tree.data in ("identifier", "keyword", "literal_value"):
        return str(tree.children[0])
    if tree.data == "string":
        return _Evaluation(None, {}, {}, None).value(tree, {})
    raise Unsupported(f"name of kind {tree.data}")


def _body(block, tree):
    for child in _children(tree):
        if child.data == "attribute":
            name, expression = _children(child)
            _unique(block.attributes, {_name(name): expression})
        elif child.data == "block":
            kind, *labels, body = _children(child)
            block.blocks.append(_body(Block(_name(kind), [_name(label) for label in labels], block.text), body))
        else:
            raise Unsupported(child.data)
    return block


def _type(tree):
    (node,) = _children(tree)
    if node.data == "identifier":
        return str(node.children[0])
    if node.data == "function_call":
        name, arguments = _children(node)
        return f"{_name(name)}({', '.join(_type(argument) for argument in _children(arguments))})"
    raise Unsupported(f"type of kind {node.data}")


def converted(kind, value, where):
    """The value as Terraform converts it to the type of a variable."""
    simple = isinstance(value, bool | int | str)
    match kind:
        case "string" if simple:
            return _text(value)
        # Terraform's conversion also accepts "1" and "0".
        case "bool" if value in (True, "true", "1"):
            return True
        case "bool" if value in (False, "false", "0"):
            return False
        case "number" if simple and not isinstance(value, bool) and re.fullmatch(r"-?[0-9]+", str(value)):
            return int(value)
        case "list(string)" if isinstance(value, list):
            return [converted("string", item, where) for item in value]
        case "map(string)" if isinstance(value, dict):
            return {key: converted("string", item, where) for key, item in value.items()}
        case "string" | "bool" | "number" | "list(string)" | "map(string)":
            raise TerraformError(f"{where} must be a {kind}, not {value!r}")
    raise Unsupported(f"type {kind}")


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    raise TerraformError(f"{value!r} has no text")


def _boolean(value):
    if not isinstance(value, bool):
        raise TerraformError(f"{value!r} is not true or false")
    return value


# Functions. Each raises TerraformError where Terraform reports an error.


def _regex(pattern, text):
    # RE2 has no look-around, and `$` is the end of the text, not the place before a last newline.
    if re.search(r"\(\?|\\[A-Zbz0-9]", pattern):
        raise Unsupported(f"pattern {pattern}")
    found = re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), text, re.ASCII)
    if not found:
        raise TerraformError(f"{text!r} does not match {pattern}")
    return found[0]


def _jsonencode(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _one(items):
    if len(items) > 1:
        raise TerraformError("one() of several items")
    return items[0] if items else None


def _tonumber(value):
    return converted("number", value, "the argument of tonumber")


def _contains(items, value):
    return any(_equal(item, value) for item in items)


FUNCTIONS = {
    "alltrue": lambda items: all(_boolean(item) for item in items),
    "concat": lambda *lists: [item for items in lists for item in items],
    "contains": _contains,
    "filebase64sha256": lambda path: base64.b64encode(hashlib.sha256(Path(path).read_bytes()).digest()).decode(),
    "join": lambda separator, items: separator.join(_text(item) for item in items),
    "jsonencode": _jsonencode,
    "length": len,
    "lookup": lambda items, key, default: items.get(key, default),
    "one": _one,
    "regex": _regex,
    "startswith": lambda text, start: text.startswith(start),
    "tonumber": _tonumber,
    "tostring": _text,
}


def _equal(first, second):
    """Terraform has values of different types unequal. In our module that is a mistake."""
    if first is None or second is None:
        return first is second
    if type(first) is not type(second):
        raise Unsupported(f"comparison of {first!r} with {second!r}")
    return first == second


OPERATORS = {
    "==": _equal,
    "!=": lambda first, second: not _equal(first, second),
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "*": operator.mul,
    "&&": lambda first, second: _boolean(first) and _boolean(second),
    "||": lambda first, second: _boolean(first) or _boolean(second),
}
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def _unescaped(part):
    text = part.replace("$${", "${").replace("%%{", "%{")
    return re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text)


class _Reference:
    """`var`, `local`, `data`, a resource type, or what follows them. `read(name)` gives the next part."""

    def __init__(self, read):
        self.read = read


class _Evaluation:
    def __init__(self, module, values, data, attribute):
        self.module, self.values, self.data, self.attribute = module, values, data, attribute
        self.read = set()
        self.running = []

    # Blocks.

    def resources(self):
        result = {}
        for address, block in self.module.resources.items():
            for suffix, scope in self._instances(block):
                result[address + suffix] = self._resource(block, scope)
        return result

    def _instances(self, block):
        """The suffix of the address and the scope of each instance."""
        if "count" in block.attributes and "for_each" in block.attributes:
            raise TerraformError("count and for_each in one resource")
        if "count" in block.attributes:
            count = self.value(block.attributes["count"], {})
            if count not in (0, 1):
                raise Unsupported(f"count of {count}")
            return [("", {})] * count
        if "for_each" in block.attributes:
            each = self.value(block.attributes["for_each"], {})
            if not isinstance(each, dict):
                raise Unsupported("for_each over another thing than an object")
            return [(f"[{json.dumps(key)}]", {"each": {"key": key, "value": value}}) for key, value in each.items()]
        return [("", {})]

    def _resource(self, block, scope):
        meta = ("count", "for_each", "depends_on")
        if unknown := block.attributes.keys() & {"provider", "lifecycle", "provisioner", "connection"}:
            raise Unsupported(f"{unknown} in a resource")
        arguments = self._arguments(block, scope, meta)
        names = [self._resource_name(item) for item in self._items(block.attributes.get("depends_on"))]
        return Resource(arguments, names)

    def _arguments(self, block, scope, meta=()):
        arguments = {
            name: self.value(expression, scope) for name, expression in block.attributes.items() if name not in meta
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        for inner in block.blocks:
            if inner.type in ("lifecycle", "provisioner", "connection"):
                raise Unsupported(f"{inner.type} in a resource")
            for kind, content in self._contents(inner, scope):
                if not isinstance(arguments.setdefault(kind, []), list):
                    raise TerraformError(f"{kind} is an argument and a block")
                arguments[kind].append(content)
        return arguments

    def _contents(self, block, scope):
        """The blocks that a block stands for: itself, or one for each element of a dynamic block."""
        if block.type != "dynamic":
            if block.labels:
                raise Unsupported(f"labels of block {block.type}")
            return [(block.type, self._arguments(block, scope))]
        _known(block, {"for_each"}, {"content"})
        (kind,), (content,) = block.labels, block.blocks
        items = self.value(block.attributes["for_each"], scope)
        return [(kind, self._arguments(content, {**scope, kind: {"value": item}})) for item in items]

    def _items(self, expression):
        if expression is None:
            return []
        (node,) = _children(expression)
        if node.data != "tuple":
            raise Unsupported("depends_on that is no list")
        return _children(node)

    def _resource_name(self, expression):
        (node,) = _children(expression)
        if node.data == "get_attr_expr_term":
            kind, name = _children(node)
            (kind,), (name,) = _children(kind), _children(name)
            address = f"{_name(kind)}.{_name(name)}"
            if address not in self.module.resources:
                raise TerraformError(f"depends_on names {address}, which does not exist")
            return address
        raise Unsupported(f"depends_on of {node.data}")

    def outputs(self):
        for block in self.module.outputs.values():
            _known(block, {"value", "description"})
        return {name: self.value(block.attributes["value"], {}) for name, block in self.module.outputs.items()}

    # Expressions.

    def value(self, node, scope):
        if node is None:
            return None
        method = getattr(self, f"_{node.data}", None)
        if method is None:
            raise Unsupported(f"expression of kind {node.data}")
        return method(_children(node), scope)

    def _expr_term(self, children, scope):
        (child,) = children
        return self.value(child, scope)

    def _conditional(self, children, scope):
        condition, yes, no = children
        return self.value(yes if _boolean(self.value(condition, scope)) else no, scope)

    def _binary_op(self, children, scope):
        left, term = children
        sign, right = _children(term)
        sign = str(sign.children[0])
        if sign not in OPERATORS:
            raise Unsupported(f"operator {sign}")
        # Terraform evaluates both sides of && and || too.
        return OPERATORS[sign](self.value(left, scope), self.value(right, scope))

    def _unary_op(self, children, scope):
        sign, operand = children
        if str(sign) != "!":
            raise Unsupported(f"operator {sign}")
        return not _boolean(self.value(operand, scope))

    def _literal_value(self, children, scope):
        return {"true": True, "false": False, "null": None}[str(children[0])]

    def _int_lit(self, children, scope):
        return int(children[0])

    def _string(self, children, scope):
        return "".join(self._part(_children(part)[0], scope) for part in children)

    def _part(self, part, scope):
        if isinstance(part, Token):
            return _unescaped(str(part))
        if part.data != "interpolation":
            raise Unsupported(f"{part.data} in a string")
        return _text(self.value(_children(part)[0], scope))

    def _tuple(self, children, scope):
        return [self.value(child, scope) for child in children]

    def _object(self, children, scope):
        result = {}
        for element in children:
            key, value = _children(element)
            _unique(result, {self._key(_children(key)[0], scope): self.value(value, scope)})
        return result

    def _key(self, expression, scope):
        (node,) = _children(expression)
        return _name(node) if node.data == "identifier" else _text(self.value(node, scope))

    def _for_intro(self, intro, scope):
        *names, collection = _children(intro)
        names, collection = [_name(name) for name in names], self.value(collection, scope)
        if isinstance(collection, dict):
            pairs = sorted(collection.items())
        elif isinstance(collection, list):
            pairs = list(enumerate(collection))
        else:
            raise TerraformError(f"for over {collection!r}")
        for key, value in pairs:
            yield {**scope, **dict(zip(names, (key, value) if len(names) == 2 else (value,), strict=True))}

    def _kept(self, condition, scope):
        return not condition or _boolean(self.value(_children(condition[0])[0], scope))

    def _for_tuple_expr(self, children, scope):
        intro, item, *condition = children
        return [self.value(item, one) for one in self._for_intro(intro, scope) if self._kept(condition, one)]

    def _for_object_expr(self, children, scope):
        intro, key, value, *condition = children
        result = {}
        for one in self._for_intro(intro, scope):
            if self._kept(condition, one):
                _unique(result, {_text(self.value(key, one)): self.value(value, one)})
        return result

    def _function_call(self, children, scope):
        name, *arguments = children
        name, arguments = _name(name), _children(arguments[0]) if arguments else []
        if any(isinstance(argument, Token) for argument in arguments):
            raise Unsupported("arguments with ...")
        if name == "can":
            try:
                self.value(arguments[0], scope)
            except TerraformError:
                return False
            return True
        if name not in FUNCTIONS:
            raise Unsupported(f"function {name}")
        return FUNCTIONS[name](*(self.value(argument, scope) for argument in arguments))

    # References.

    def _identifier(self, children, scope):
        name = str(children[0])
        if name in scope:
            return scope[name]
        if name == "var":
            return _Reference(self._variable)
        if name == "local":
            return _Reference(self._local)
        if name == "data":
            return _Reference(lambda kind: _Reference(lambda label: self._data(kind, label)))
        if any(address.startswith(f"{name}.") for address in self.module.resources):
            return _Reference(lambda label: self._resource_reference(f"{name}.{label}"))
        raise TerraformError(f"`{name}` does not exist")

    def _variable(self, name):
        if name not in self.values:
            raise TerraformError(f"var.{name} does not exist")
        self.read.add(name)
        return self.values[name]

    def _local(self, name):
        if name not in self.module.locals:
            raise TerraformError(f"local.{name} does not exist")
        if name in self.running:
            raise TerraformError(f"local.{name} names itself")
        self.running.append(name)
        value = self.value(self.module.locals[name], {})
        self.running.pop()
        return value

    def _data(self, kind, label):
        if f"{kind}.{label}" not in self.module.data:
            raise TerraformError(f"data.{kind}.{label} does not exist")
        return self.data[kind]

    def _resource_reference(self, address):
        if address not in self.module.resources:
            raise TerraformError(f"{address} does not exist")
        block = self.module.resources[address]
        one = _Reference(lambda name: self.attribute(address, name))
        if "for_each" in block.attributes:
            raise Unsupported(f"a reference to {address}, which has for_each")
        return [one] * self.value(block.attributes["count"], {}) if "count" in block.attributes else one

    def _get_attr_expr_term(self, children, scope):
        target, attribute = children
        return self._attribute(self.value(target, scope), _name(_children(attribute)[0]))

    def _attribute(self, target, name):
        if isinstance(target, _Reference):
            return target.read(name)
        if isinstance(target, dict) and name in target:
            return target[name]
        raise TerraformError(f"no attribute {name}")

    def _index_expr_term(self, children, scope):
        target, index = children
        target, index = self.value(target, scope), self.value(_children(index)[0], scope)
        try:
            return target[index]
        except (LookupError, TypeError) as problem:
            raise TerraformError(f"no element {index!r}") from problem

    def _full_splat_expr_term(self, children, scope):
        target, splat = children
        items = self.value(target, scope)
        if not isinstance(items, list):
            raise Unsupported("[*] of one value")
        for step in _children(splat):
            if step.data != "get_attr":
                raise Unsupported(f"{step.data} after [*]")
            items = [self._attribute(item, _name(_children(step)[0])) for item in items]
        return items
