"""Current settings of the controls, and the check whether a result belongs to them."""

from dataclasses import dataclass
from pathlib import Path

from serving.model_facts import ModelFacts
from serving.page.runs import Key, Names, Run
from serving.page.work import Asked


@dataclass(frozen=True)
class Choice:
    """Settings of the controls: the model, the source and the scan; `key.scan` is empty if the scan is missing."""

    model: Path
    facts: ModelFacts
    source: str
    asked: Asked
    key: Key

    @property
    def complete(self) -> bool:
        """Whether a scan is given."""
        return bool(self.key.scan)

    @property
    def names(self) -> Names:
        """Names of a run of this choice."""
        return Names(self.asked.name, self.facts.name, self.source, str(self.model))


def belongs(run: Run, choice: Choice, restored: bool) -> bool:
    """Whether a run has the input and the model of a choice.

    After a reload (`restored`) the browser no longer has the files; then source and model are compared and no files.
    """
    if run.key.model != choice.key.model or run.names.source != choice.source:
        return False
    without_files = restored and not choice.key.scan and not choice.key.label
    return without_files or (run.key == choice.key and run.names.scan == choice.asked.name)
