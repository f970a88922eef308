"""Checking values against a JSON schema, and filling in its defaults, with messages that people can read.

The schemas are JSON Schema draft 2020-12. The few keywords that they use are checked here, since importing a general
validator costs 0.1 s at every start and its messages would have to be rewritten anyway. Stricter than the standard in
two points: 4.0 is no whole number, and NaN and infinity are no numbers.
"""

import copy
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Schema = Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong, and with which key: `train.steps`, or `train.flip_axes[1]` in a list."""

    key: str
    text: str

    def __str__(self) -> str:
        """The problem as one line."""
        return f"{self.key}: {self.text}" if self.key else self.text


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a schema written in YAML. Raises OSError where it is missing."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 20 times as fast where libyaml is there
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)


def fill_defaults(value: Any, schema: Schema, given: Any = None) -> Any:
    """A copy of `value` in which every key that is left out has its default, also in sections that are left out.

    A section that is null counts as left out. Where the schema leaves the names of a mapping free, and `given` has this
    mapping, it is taken from `given` as it stands (see `ctseg.config.resolve_config`).
    """
    if isinstance(schema.get("additionalProperties"), Mapping) and isinstance(given, Mapping):
        return copy.deepcopy(dict(given))
    if "properties" not in schema or not isinstance(value, Mapping | None):
        return copy.deepcopy(value)
    value = value or {}
    given = given if isinstance(given, Mapping) else {}
    filled = {}
    for key, part in schema["properties"].items():
        if key in value or "properties" in part:
            filled[key] = fill_defaults(value.get(key), part, given.get(key))
        elif "default" in part:
            filled[key] = copy.deepcopy(part["default"])
    return filled | {key: content for key, content in value.items() if key not in schema["properties"]}


def read_texts(value: Any, schema: Schema) -> Any:
    """A copy of `value` with numbers and true or false for texts that read so, where the schema wants no text.

    Snakemake hands on what stands in braces on the command line as texts, and YAML reads 1e-3 as one.
    """
    if "anyOf" in schema:
        readings = [read_texts(value, branch) for branch in schema["anyOf"]]
        valid = (
            read for read, branch in zip(readings, schema["anyOf"], strict=True) if not find_problems(read, branch)
        )
        return next(valid, readings[-1])
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, Mapping) else {}
        return {name: read_texts(content, known.get(name, others)) for name, content in value.items()}
    if isinstance(value, list):
        return [read_texts(item, schema.get("items", {})) for item in value]
    return _read_text(value, schema) if isinstance(value, str) and "type" in schema else value


def _read_text(text: str, schema: Schema) -> Any:
    types = _types(schema)
    if types == ["boolean"]:
        return {"true": True, "false": False}.get(text.lower(), text)
    for name, read in (("integer", int), ("number", int), ("number", float)):
        if types == [name]:
            with suppress(ValueError):
                return read(text)
    return text


def find_problems(value: Any, schema: Schema, key: str = "") -> list[Problem]:
    """Everything in which `value` breaks the schema; `key` is the name of the value in the messages."""
    return list(_problems(value, schema, key))


def _problems(value: Any, schema: Schema, key: str) -> Iterator[Problem]:
    if "anyOf" in schema:
        yield from _any_of(value, schema, key)
    elif "enum" in schema:
        if not any(value == option and type(value) is type(option) for option in schema["enum"]):
            yield Problem(key, f"{show(value)} should be {_expected(schema)}{_suggestion(value, schema['enum'])}")
    elif not _has_type(value, schema):
        yield Problem(key, f"{show(value)} should be {_expected(schema)}{_type_hint(value, schema)}")
    elif isinstance(value, str):
        yield from _string(value, schema, key)
    elif isinstance(value, list):
        yield from _list(value, schema, key)
    elif isinstance(value, Mapping):
        yield from _mapping(value, schema, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, key)


def _any_of(value: Any, schema: Schema, key: str) -> Iterator[Problem]:
    """Report the branch that the value was meant for: the one of its own type, if there is one."""
    branches = schema["anyOf"]
    if not any(find_problems(value, branch, key) == [] for branch in branches):
        meant = [branch for branch in branches if "enum" not in branch and _has_type(value, branch)]
        if meant:
            yield from _problems(value, meant[0], key)
        else:
            options = [option for branch in branches for option in branch.get("enum", [])]
            yield Problem(key, f"{show(value)} should be {_expected(schema)}{_suggestion(value, options)}")


def _string(value: str, schema: Schema, key: str) -> Iterator[Problem]:
    # Patterns are anchored; fullmatch, unlike search, does not let a final line break pass the `$`.
    if len(value) < schema.get("minLength", 0) or not re.fullmatch(schema.get("pattern", "(?s:.*)"), value):
        yield Problem(key, f"{show(value)} should be {_expected(schema)}")
    elif len(value) > schema.get("maxLength", math.inf):
        yield Problem(key, f"{show(value)} is longer than {schema['maxLength']} characters")


def _number(value: float, schema: Schema, key: str) -> Iterator[Problem]:
    if value > schema.get("maximum", math.inf):
        yield Problem(key, f"{show(value)} is more than the maximum of {schema['maximum']}")
    if value < schema.get("minimum", -math.inf):
        yield Problem(key, f"{show(value)} is less than the minimum of {schema['minimum']}")
    if value >= schema.get("exclusiveMaximum", math.inf):
        yield Problem(key, f"{show(value)} should be less than {schema['exclusiveMaximum']}")
    if value <= schema.get("exclusiveMinimum", -math.inf):
        yield Problem(key, f"{show(value)} should be more than {schema['exclusiveMinimum']}")


def _list(value: list, schema: Schema, key: str) -> Iterator[Problem]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        yield Problem(key, f"{show(value)} should be {_expected(schema)}")
    if schema.get("uniqueItems") and any(item in value[:index] for index, item in enumerate(value)):
        yield Problem(key, f"{show(value)} holds something twice")
    for index, item in enumerate(value):
        yield from _problems(item, schema.get("items", {}), f"{key}[{index}]")


def _mapping(value: Mapping, schema: Schema, key: str) -> Iterator[Problem]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    if len(value) < schema.get("minProperties", 0):
        yield Problem(key, f"is empty; it should be {_expected(schema)}")
    for name in schema.get("required", []):
        if name not in value:
            yield Problem(_join(key, name), f"is missing; it should be {_expected(known[name])}")
    for name, content in value.items():
        if name in known:
            yield from _problems(content, known[name], _join(key, name))
        elif others is False:
            yield Problem(_join(key, name), f"unknown key{_suggestion(name, known)}")
        else:
            naming = find_problems(name, schema.get("propertyNames", {}))
            yield from (Problem(key, f"the name {problem.text}") for problem in naming)
            yield from _problems(content, others, _join(key, name))


def _join(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "number": ("a number", lambda value: _is_number(value) and not isinstance(value, bool)),
    "string": ("text", lambda value: isinstance(value, str)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "object": ("a section of keys", lambda value: isinstance(value, Mapping)),
    "null": ("null", lambda value: value is None),
}


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", list(TYPES))
    return [types] if isinstance(types, str) else types


def _has_type(value: Any, schema: Schema) -> bool:
    return any(TYPES[name][1](value) for name in _types(schema))


def _expected(schema: Schema) -> str:
    """What the schema wants, in words: its title, or what follows from its keywords."""
    if "title" in schema:
        return schema["title"]
    if "anyOf" in schema:
        return " or ".join(_expected(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        options = [str(option) for option in schema["enum"]]
        return options[0] if len(options) == 1 else f"one of {', '.join(options)}"
    if _types(schema) == ["array"] and "minItems" in schema:
        return f"a list of {schema['minItems']} {_expected(schema['items']).removeprefix('a ')}s"
    return " or ".join(TYPES[name][0] for name in _types(schema))


def _type_hint(value: Any, schema: Schema) -> str:
    """YAML reads 007 and 2024-01-31 as a number and a date."""
    is_plain = value is not None and not isinstance(value, list | Mapping)
    return "; put it in quotes" if "string" in _types(schema) and is_plain else ""


def _suggestion(name: Any, known: Any) -> str:
    """The closest known name, ready to follow a message; empty if none is close."""
    from difflib import get_close_matches  # only needed when something is wrong

    close = get_close_matches(str(name), [str(option) for option in known], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def show(value: Any, longest: int = 60) -> str:
    """The value as it could stand in the config, cut to `longest` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= longest else text[: longest - 1] + "…"
