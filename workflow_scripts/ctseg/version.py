"""The version of ctseg, not in the package's `__init__.py`, since every job depends on that file."""

VERSION = "0.1.0"
