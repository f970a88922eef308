"""Counts and lists in sentences for people."""

from collections.abc import Sequence


def counted(count: int, thing: str) -> str:
    """`1 scan`, `2 scans`; `thing` is an English noun whose plural takes an s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def listed(things: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(things[:-1]), *things[-1:]] if len(things) > 1 else things)
