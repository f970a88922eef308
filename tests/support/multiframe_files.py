"""Small enhanced multi-frame CT files."""

import numpy as np
from pydicom.dataset import Dataset

from ctseg.geometry.volume import Grid
from dicom_files import INTERCEPT, ct_slice

GRID = Grid((4, 32, 40), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


MACROS = {
    "PlanePositionSequence": ["ImagePositionPatient"],
    "PlaneOrientationSequence": ["ImageOrientationPatient"],
    "PixelMeasuresSequence": ["PixelSpacing"],
    "PixelValueTransformationSequence": ["RescaleSlope", "RescaleIntercept"],
}


def group(source: Dataset, macros: list[str]) -> Dataset:
    """Functional group with some macros, filled with the elements of a slice."""
    made = Dataset()
    for macro in macros:
        item = Dataset()
        for keyword in MACROS[macro]:
            setattr(item, keyword, source[keyword].value)
        setattr(made, macro, [item])
    return made


def multiframe(hu_zyx: np.ndarray, slopes: list[float] | None = None, **elements: object) -> Dataset:
    """Enhanced CT of HU [z, y, x] with frames in reverse order; with `slopes`, each frame has its own RescaleSlope."""
    slices = []
    for index, hu in enumerate(hu_zyx):
        slope = slopes[index] if slopes else 1.0
        stored = np.round((hu - INTERCEPT) / slope).astype(np.uint16)
        slices.append(ct_slice(stored, GRID, index, RescaleSlope=slope, **elements))
    slices.reverse()
    per_frame = ["PlanePositionSequence"] + (["PixelValueTransformationSequence"] if slopes else [])
    dataset = slices[0]
    shared = [macro for macro in MACROS if macro not in per_frame]
    dataset.SharedFunctionalGroupsSequence = [group(slices[0], shared)]
    dataset.PerFrameFunctionalGroupsSequence = [group(part, per_frame) for part in slices]
    dataset.PixelData = b"".join(part.PixelData for part in slices)
    dataset.NumberOfFrames = len(slices)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_CT
    for keywords in MACROS.values():
        for keyword in keywords:
            delattr(dataset, keyword)
    return dataset
