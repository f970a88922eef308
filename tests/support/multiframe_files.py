"""Small enhanced multi-frame CT files."""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import UID, JPEG2000Lossless, generate_uid

from ctseg.geometry.volume import Grid
from dicom_files import INTERCEPT, ct_slice, items, write

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


def compress(dataset: Dataset, syntax: UID, folder: Path) -> Dataset:
    """Compress the pixels of a data set in place and return it; JPEG 2000 goes through a file in `folder`."""
    if syntax == JPEG2000Lossless:
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG2000")
        writer.SetFileName(str(folder / "pixels.dcm"))
        writer.Execute(sitk.GetImageFromArray(dataset.pixel_array))
        dataset["PixelData"] = pydicom.dcmread(folder / "pixels.dcm")["PixelData"]
    else:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def add_macro(dataset: Dataset, place: int, macro: str, **elements: object) -> None:
    """Add a macro with one item to the functional group of a frame."""
    setattr(dataset.PerFrameFunctionalGroupsSequence[place], macro, [items(**elements)])


def phases(first_zyx: np.ndarray, second_zyx: np.ndarray, macro: str, element: str) -> Dataset:
    """Enhanced CT of two phases in HU [z, y, x] at the same positions, told apart by `element` with 20 and 70."""
    n_slices = len(first_zyx)
    dataset = multiframe(np.concatenate([first_zyx, second_zyx]))
    groups = dataset.PerFrameFunctionalGroupsSequence
    for place in range(2 * n_slices):  # the frames are in reverse order, so the second phase comes first
        groups[place].PlanePositionSequence = groups[n_slices + place % n_slices].PlanePositionSequence
        add_macro(dataset, place, macro, **{element: 70 if place < n_slices else 20})
    return dataset


def write_single_frames(folder: Path, hu_zyx: np.ndarray, slopes: list[float], syntax: UID | None = None) -> Path:
    """Write HU [z, y, x] as enhanced CT files of one frame, each with its own RescaleSlope; return the folder."""
    for index, slope in enumerate(slopes):
        dataset = multiframe(hu_zyx[index : index + 1], [slope])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        position = GRID.points_xyz_mm(np.array([[index, 0, 0]]))[0].round(9).tolist()
        add_macro(dataset, 0, "PlanePositionSequence", ImagePositionPatient=position)
        write(compress(dataset, syntax, folder) if syntax else dataset, folder / f"{index}")
    return folder
