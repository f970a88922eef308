"""Entry of a catalogue: the common fields of all choices."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A choice: its description for the methods text, and the keys of `references.REFERENCES` to cite for it."""

    description: str
    cite: tuple[str, ...] = ()
