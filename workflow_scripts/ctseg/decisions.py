"""Decisions with their reasons, as stored in files: the values chosen for `auto` in the config."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

GIVEN = "given in the config"

Stored = dict[str, dict[str, Any]]  # name: {"value", "reason"}
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Decision:
    """A value and the reason for it, in words."""

    value: Any
    reason: str


def stored(decisions: dict[str, Decision]) -> Stored:
    """Decisions in the form that is written to a file."""
    return {name: {"value": decision.value, "reason": decision.reason} for name, decision in decisions.items()}


def decided(decisions: Stored, name: str) -> Any:
    """The value of the decision `name` from a file."""
    return decisions[name]["value"]


def unless_auto(value: Any) -> Any:
    """A value of the config, or None if it is auto, so that the caller decides."""
    return None if value == "auto" else value


def values_of(decisions: Stored) -> dict[str, Any]:
    """The values of all decisions from a file."""
    return {name: decision["value"] for name, decision in decisions.items()}


def settings_from(values: Mapping[str, Any], kind: type[Settings]) -> Settings:
    """An instance of `kind` with the values of its fields; ignores others. Raises KeyError for a missing one."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})  # type: ignore[arg-type]
