"""Fixtures for several test files, created once, because training even a small network takes seconds."""

from functools import cache

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # times are meaningless on a busy machine
settings.load_profile("any machine")


def pytest_addoption(parser):
    """Add the options for device and size of the tests with the marker gpu."""
    parser.addoption("--device", default="cuda", help="of the tests with the marker gpu: cuda or cpu")
    parser.addoption("--small", action="store_true", help="sizes of these tests for a processor")


@pytest.fixture(scope="session")
def device(request):
    """Device of the tests with the marker gpu; skips them if it is a GPU and none is available."""
    import torch

    name = request.config.getoption("device")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU and torch with CUDA; --device cpu --small runs it on a processor")
    return torch.device(name)


@pytest.fixture(scope="session")
def trained():
    """Trained model that segments bright balls."""
    from ball_model import trained_model

    return trained_model()


@pytest.fixture(scope="session")
def model_folder(trained, tmp_path_factory):
    """Folder with the files of the model `trained`."""
    from ball_model import write_model

    folder = tmp_path_factory.mktemp("model")
    write_model(trained, folder)
    return folder


@pytest.fixture(scope="session")
def scan():
    """Scan that was not used for training, and the mask of its balls."""
    from ball_model import ball_scan

    return ball_scan()


@pytest.fixture(scope="session")
def dicom_results(tmp_path_factory):
    """Function that returns the results of a kind of series, see `dicom_results`; each kind is written once."""
    from dicom_results import write_results

    return cache(lambda kind: write_results(kind, tmp_path_factory.mktemp("results")))
