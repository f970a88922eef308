"""Checks of values against a JSON schema, with defaults filled in and readable messages.

The package jsonschema finds the violations, by draft 2020-12; this module puts them into words. It is stricter than the
standard in three points: 4.0 is not an integer, NaN and infinity are not numbers, and a pattern must match all of a
text, so that `$` does not match before a line break at its end.
"""

import copy
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

Schema = Mapping[str, Any]
Error = Any  # a ValidationError; by its type stubs any field may be unset

TYPES = {  # a part of the schema that allows several types needs a title
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a section of keys",
}
ENDINGS = {
    "minimum": " of at least {}",
    "maximum": " of at most {}",
    "exclusiveMinimum": " above {}",
    "exclusiveMaximum": " below {}",
    "maxLength": " of at most {} characters",
    "uniqueItems": " without repetitions",
}


class Problem(NamedTuple):
    """A problem and its key: `train.steps`, or `augment.flip_axes[1]` in a list."""

    key: str
    text: str

    def __str__(self) -> str:
        """The problem as one line."""
        return f"{self.key}: {self.text}" if self.key else self.text


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a schema written in YAML. Raises OSError if the file is missing."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 20 times as fast if libyaml is installed
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)


def fill_defaults(value: Any, schema: Schema, given: Any = None) -> Any:
    """Copy of `value` with the schema's default for each missing key, also in missing sections.

    A section that is null counts as missing. If the schema allows free names in a mapping and `given` has this mapping,
    it is taken unchanged from `given` (see `ctseg.study.config.resolve_config`).
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
    """Copy of `value` with texts converted to numbers or booleans if the schema allows no text there.

    Snakemake passes values in braces on the command line as texts, and YAML reads 1e-3 as text. Floats without a
    fraction become integers, so that 12 and 12.0 have the same form.
    """
    read = copy.deepcopy(value)
    whole = list(_Validator(schema).iter_errors(value))
    branches = [branch for problem in whole for branch in problem.context or []]
    for error in whole + branches:
        if error.validator == "type" and isinstance(error.instance, str) and error.absolute_path:
            *path, last = error.absolute_path
            reduce(getitem, path, read)[last] = _read_text(error.instance, error.validator_value)
    return _whole(read)


def _whole(value: Any) -> Any:
    """Copy of a value with integers in place of floats without a fraction, at all depths."""
    if isinstance(value, dict):
        return {key: _whole(content) for key, content in value.items()}
    if isinstance(value, list):
        return [_whole(content) for content in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_text(text: str, types: Any) -> Any:
    for reading in ({"true": True, "false": False}.get, int, float):
        with suppress(ValueError):
            if _Validator({"type": types}).is_valid(read := reading(text.lower())):
                return read
    return text


def find_problems(value: Any, schema: Schema) -> list[Problem]:
    """All violations of the schema in `value`."""
    errors = _Validator(schema).iter_errors(value)
    return list(dict.fromkeys(problem for error in errors for problem in _problems(error)))


def _check_pattern(_: Any, pattern: str, value: Any, __: Schema) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError("does not match the pattern")


_NUMBERS = {
    "integer": lambda _, value: type(value) is int,
    "number": lambda _, value: type(value) in (int, float) and -math.inf < value < math.inf,
}
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(_NUMBERS)
_Validator = extend(Draft202012Validator, {"pattern": _check_pattern}, type_checker=_TYPES)


def _problems(error: Error) -> Iterator[Problem]:
    if error.validator in ("required", "additionalProperties"):
        yield from _key_problems(error)
    elif meant := _meant(error):
        yield from (problem for part in meant for problem in _problems(part))
    else:
        subject = "the name " if "propertyNames" in error.absolute_schema_path else ""
        expected = f"{_expected(error.schema)}{_ending(error)}"
        yield Problem(_key(error.absolute_path), f"{subject}{show(error.instance)} should be {expected}")


def _key_problems(error: Error) -> Iterator[Problem]:
    """Missing and unknown keys. The error does not name them, so each error reports all of its section."""
    section, schema, known = error.instance, error.schema, error.schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in section:
            yield Problem(_key([*error.absolute_path, name]), f"is missing; it should be {_expected(known[name])}")
    for name in section:
        if name not in known and schema.get("additionalProperties") is False:
            yield Problem(_key([*error.absolute_path, str(name)]), f"unknown key{_suggestion(name, known)}")


def _meant(error: Error) -> list[Error]:
    """Errors in the branch of `anyOf` that fits the type of the value; empty without `anyOf` or a fitting branch."""
    others = {part.schema_path[0] for part in error.context if part.validator in ("type", "enum") and not part.path}
    return [part for part in error.context if part.schema_path[0] not in others]


def _key(path: Iterable[Any]) -> str:
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path).removeprefix(".")


def _expected(schema: Schema) -> str:
    """The expected value in words: the schema's title, or a text made from its keywords."""
    if "title" in schema:
        return schema["title"]
    if "anyOf" in schema:
        return " or ".join(_expected(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}" if len(schema["enum"]) > 1 else schema["enum"][0]
    if "minItems" in schema:
        return f"a list of {schema['minItems']} {_expected(schema['items']).removeprefix('a ')}s"
    return TYPES[schema["type"]]


def _ending(error: Error) -> str:
    """The violated bound, or a remedy, in words. YAML reads 007 and 2024-01-31 as a number and a date."""
    if error.validator == "type" and "string" in error.validator_value:
        return "" if isinstance(error.instance, list | Mapping | None) else "; put it in quotes"
    if error.schema.get("type") == "integer" and isinstance(error.instance, float):
        return ""  # 0.5 is below a minimum of 1 as well, but one message is enough
    branches = [error.schema, *error.schema.get("anyOf", [])]
    options = [option for branch in branches for option in branch.get("enum", [])]
    return ENDINGS.get(error.validator, "").format(error.validator_value) or _suggestion(error.instance, options)


def _suggestion(name: Any, known: Iterable[str]) -> str:
    close = get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def show(value: Any, longest: int = 60) -> str:
    """The value as written in a config, cut to `longest` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= longest else text[: longest - 1] + "…"
