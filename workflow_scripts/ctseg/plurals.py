"""Counts and lists as English text."""

from collections.abc import Sequence


def counted(count: int, thing: str) -> str:
    """Count and noun, as `1 scan` or `2 scans`; `thing` is an English noun with a plural in s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def listed(things: Sequence[str]) -> str:
    """A list as text: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(things[:-1]), *things[-1:]] if len(things) > 1 else things)
