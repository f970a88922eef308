"""What the controls of the page choose: a result is shown beside its own choice alone."""

from dataclasses import dataclass
from pathlib import Path

from serving.model_facts import ModelFacts
from serving.page.runs import Key, Names, Run
from serving.page.work import Asked


@dataclass(frozen=True)
class Choice:
    """What the controls say: the model, and a scan unless one is still to be given."""

    model: Path
    facts: ModelFacts
    source: str
    asked: Asked
    key: Key

    @property
    def complete(self) -> bool:
        """Whether there is a scan to segment."""
        return bool(self.key.scan)

    @property
    def names(self) -> Names:
        """What people know its run by."""
        return Names(self.asked.name, self.facts.name, self.source, str(self.model))


def belongs(run: Run, choice: Choice, restored: bool) -> bool:
    """Whether a run is one of this input and this model.

    After a reload the browser no longer has the files: then (`restored`) the run counts for the files that it is of.
    """
    if run.key.model != choice.key.model or run.names.source != choice.source:
        return False
    without_files = restored and not choice.key.scan and not choice.key.label
    return without_files or (run.key == choice.key and run.names.scan == choice.asked.name)
