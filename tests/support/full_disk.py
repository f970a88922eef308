"""A disk that takes no more bytes: the limit of this process for the size of files, which gives EFBIG as an OSError."""

import resource

import pytest

__all__ = ["full_disk"]
LARGEST_BYTES = 4096


@pytest.fixture
def full_disk():
    """While a test runs, no file can become larger than `LARGEST_BYTES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
