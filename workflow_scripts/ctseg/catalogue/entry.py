"""What catalogues say of a choice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A choice in plain words, as a methods text names it, and the keys of `references.REFERENCES` to cite for it."""

    description: str
    cite: tuple[str, ...] = ()
