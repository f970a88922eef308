"""Decisions that stand in a file with their reasons: what `auto` in the config became."""

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
    """Decisions as they are written to a file."""
    return {name: {"value": decision.value, "reason": decision.reason} for name, decision in decisions.items()}


def decided(decisions: Stored, name: str) -> Any:
    """The value of a decision from a file."""
    return decisions[name]["value"]


def unless_auto(value: Any) -> Any:
    """A value of the config, or None where it is auto and whoever takes it has to decide."""
    return None if value == "auto" else value


def values_of(decisions: Stored) -> dict[str, Any]:
    """The values of all decisions from a file."""
    return {name: decision["value"] for name, decision in decisions.items()}


def settings_from(values: Mapping[str, Any], kind: type[Settings]) -> Settings:
    """The dataclass `kind` with the values of its fields; others are left out. Raises KeyError for one that lacks."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})  # type: ignore[arg-type]
