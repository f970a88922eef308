"""A flag: a reason to check a scan or its segmentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Flag:
    """An unusual property: `kind` for programs, which never changes, and `text`, one English sentence for people.

    `values` are the variable parts of the text, in plain JSON types: enough to write the sentence in another language.
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
