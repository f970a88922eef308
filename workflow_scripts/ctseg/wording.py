"""Counts in sentences for people."""


def counted(count: int, thing: str) -> str:
    """`1 scan`, `2 scans`; `thing` is an English noun whose plural takes an s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
