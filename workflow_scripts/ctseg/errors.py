"""Errors that users see without a traceback: input that cannot be used, and requests the machine refuses."""

import errno

_REFUSED = {
    errno.ENOSPC: "the disk is full; free space, or run in a folder on another one",
    errno.EDQUOT: "your quota of disk space is used up; free space, or ask for more",
    errno.EROFS: "the file system is read-only; run in a folder where you may write",
    errno.EACCES: "permission is denied; run in a folder where you may write, and check who owns its files",
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
        "the disk or network reports an error; check that it is connected and in order, and run again",
    ),
}


class InputError(Exception):
    """Input from the user that cannot be used.

    The message is one or two sentences with the file, the problem and the remedy. It is shown without a traceback, so
    it must be complete, and it never contains a patient's name, identifier or date.
    """


class ConfigError(InputError):
    """Error in the config, the table of cases, or a plan that follows from them."""


class ScanError(InputError):
    """Error in a scan: its file, series or values."""


class LabelError(InputError):
    """Error in a label: its file, its names, or its position on the scan."""


class GridError(InputError):
    """Error for volumes that do not share a grid."""


class ModelError(InputError):
    """Error in a model file or in weights."""


class TrainingError(InputError):
    """Error of a training run that cannot continue with its settings."""


class MachineError(InputError):
    """Missing resource of the machine: disk, memory, a device."""


NOT_OF_A_CASE = (ConfigError, ModelError, TrainingError, MachineError)  # they stop the whole study, not one case


def refusal(error: OSError) -> str:
    """Message with the file that the machine refuses to write or read, and the remedy; empty for other errors."""
    text = _REFUSED.get(error.errno or 0, "")
    return f"{error.filename}: {text}" if text and error.filename else text
