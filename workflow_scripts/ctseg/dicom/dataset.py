"""Building blocks of DICOM objects."""

from typing import Any

from pydicom.dataset import Dataset


def items(**elements: Any) -> Dataset:
    """A dataset with these elements, by their keywords."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
