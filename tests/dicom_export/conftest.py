"""DICOM results for all kinds of series, each written once."""

import pytest

from dicom_results import (
    STACKS,
    STRAIGHT,
)


@pytest.fixture(params=STRAIGHT)
def results(request, dicom_results):
    """Results for a series that is read without interpolation."""
    return dicom_results(request.param)


@pytest.fixture(params=STACKS)
def resampled(request, dicom_results):
    """Results for a series that is resampled when it is read."""
    return dicom_results(request.param)
