"""DICOM data sets created from keywords."""

import pytest
from pydicom.dataset import Dataset

from ctseg.dicom.dataset import items


def test_elements_have_the_tags_of_their_keywords():
    part = items(Modality="CT", Rows=5)
    assert [(element.tag, element.value) for element in items(Rows=5, Modality="CT")] == [
        (0x00080060, "CT"),
        (0x00280010, 5),
    ]
    outer = items(ReferencedSeriesSequence=[part])
    assert outer.ReferencedSeriesSequence[0] == part
    assert outer["ReferencedSeriesSequence"].VR == "SQ"


def test_an_empty_value_is_an_element():
    dataset = items(PatientName=None)
    assert "PatientName" in dataset
    assert items() == Dataset()
    with pytest.raises(AttributeError):
        _ = dataset.PatientID
