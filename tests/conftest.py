"""Fixtures that several files use: made once, since training even a tiny network takes seconds."""

from functools import cache

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing on a busy machine
settings.load_profile("any machine")


def pytest_addoption(parser):
    """Options of the tests with the marker gpu: where they run, and how large they are."""
    parser.addoption("--device", default="cuda", help="of the tests with the marker gpu: cuda or cpu")
    parser.addoption("--small", action="store_true", help="sizes of these tests for a processor")


@pytest.fixture(scope="session")
def device(request):
    """The device of the tests with the marker gpu; they are skipped, by name, where it is a GPU and there is none."""
    import torch

    name = request.config.getoption("device")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU and torch with CUDA; --device cpu --small runs it on a processor")
    return torch.device(name)


@pytest.fixture(scope="session")
def trained():
    """A network that finds bright balls."""
    from ball_model import trained_model

    return trained_model()


@pytest.fixture(scope="session")
def model_folder(trained, tmp_path_factory):
    """The folder of its files."""
    from ball_model import write_model

    folder = tmp_path_factory.mktemp("model")
    write_model(trained, folder)
    return folder


@pytest.fixture(scope="session")
def scan():
    """A scan that no network has seen, with its balls."""
    from ball_model import ball_scan

    return ball_scan()


@pytest.fixture(scope="session")
def dicom_results(tmp_path_factory):
    """Gives the results of a kind of series, see `dicom_results`; each is written once."""
    from dicom_results import write_results

    return cache(lambda kind: write_results(kind, tmp_path_factory.mktemp("results")))
