"""What is told to people instead of a traceback: input that cannot be used, and what the machine refuses."""

import errno

_REFUSED = {
    errno.ENOSPC: "the disk is full; free space, or run in a folder on another one",
    errno.EDQUOT: "your quota of disk space is used up; free space, or ask for more",
    errno.EROFS: "the file system is read-only; run in a folder where you may write",
    errno.EACCES: "permission is denied; run in a folder where you may write, and check who owns its files",
}


class InputError(Exception):
    """Something that the user gave cannot be used.

    The message is one sentence or two: which file, what is wrong with it, what to do. It is shown without a traceback,
    so it must stand on its own, and it never holds a patient's name, identifier or date.
    """


class ConfigError(InputError):
    """The config, the table of cases, or a plan that follows from them."""


class ScanError(InputError):
    """A scan: its file, series or values."""


class LabelError(InputError):
    """A label: its file, its names, or how it lies on its scan."""


class GridError(InputError):
    """Volumes that do not share a grid."""


class ModelError(InputError):
    """A model file, or weights."""


class TrainingError(InputError):
    """A training run that cannot go on with its settings."""


class MachineError(InputError):
    """What the machine lacks: disk, memory, a device."""


NOT_OF_A_CASE = (ConfigError, ModelError, TrainingError, MachineError)  # they stop the study, not a case of it


def refusal(error: OSError) -> str:
    """Which file the machine refuses to write or read, and what to do; empty where the error is none of these."""
    text = _REFUSED.get(error.errno or 0, "")
    return f"{error.filename}: {text}" if text and error.filename else text
