"""A reason to look twice at a scan or at its segmentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Flag:
    """What is unusual: `kind` for programs, which stays as it is, and `text`, one English sentence for people.

    `values` are what the text tells beside its fixed words, in plain JSON types: another language needs no more.
    """

    kind: str
    values: Mapping[str, Any]
    text: str

    def __str__(self) -> str:
        """The sentence."""
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """The flag in plain JSON types."""
        return {"kind": self.kind, "values": dict(self.values), "text": self.text}
