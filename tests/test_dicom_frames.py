"""Enhanced multi-frame CT reads like the same slices in single files."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from ctseg.dicom import read_dicom
from ctseg.errors import InputError
from ctseg.volume import Grid
from dicom_files import INTERCEPT, body, ct_slice, write, write_series
from real_data import real_data

GRID = Grid((4, 32, 40), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
MACROS = {
    "PlanePositionSequence": ["ImagePositionPatient"],
    "PlaneOrientationSequence": ["ImageOrientationPatient"],
    "PixelMeasuresSequence": ["PixelSpacing"],
    "PixelValueTransformationSequence": ["RescaleSlope", "RescaleIntercept"],
}


def group(source: Dataset, macros: list[str]) -> Dataset:
    """A functional group with some macros, whose elements are taken from a slice."""
    made = Dataset()
    for macro in macros:
        item = Dataset()
        for keyword in MACROS[macro]:
            setattr(item, keyword, source[keyword].value)
        setattr(made, macro, [item])
    return made


def multiframe(hu_zyx: np.ndarray, slopes: list[float] | None = None, **elements: object) -> Dataset:
    """An enhanced CT whose frames lie in reverse order; with `slopes`, each frame has its own rescaling."""
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


def test_frames_are_placed_by_their_functional_groups(tmp_path):
    hu = body(GRID.shape_zyx)
    write(multiframe(hu), tmp_path / "one")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert volume.grid.matches(GRID, 1e-6)
    assert facts["series"]["chosen"]["images"] == 4


def test_each_frame_has_its_own_rescaling(tmp_path):
    hu = (body(GRID.shape_zyx) // 8 * 8).astype(np.int16)
    write(multiframe(hu, slopes=[1.0, 2.0, 4.0, 8.0]), tmp_path / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


@pytest.mark.parametrize("syntax", [pydicom.uid.RLELossless, pydicom.uid.DeflatedExplicitVRLittleEndian])
def test_compressed_frames(tmp_path, syntax):
    hu = body(GRID.shape_zyx)
    dataset = multiframe(hu)
    if syntax == pydicom.uid.RLELossless:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    write(dataset, tmp_path / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


def test_a_cut_file_is_named(tmp_path):
    path = write(multiframe(body(GRID.shape_zyx)), tmp_path / "one")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match=r"one .*(cut|damaged)"):
        read_dicom(tmp_path)


def test_single_slices_beside_it_are_another_series(tmp_path):
    hu = body(GRID.shape_zyx)
    dataset = multiframe(hu)
    dataset.SeriesInstanceUID = generate_uid()
    write(dataset, tmp_path / "many")
    write_series(tmp_path / "single", hu, GRID)
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert [other["reason"] for other in facts["series"]["others"]] == ["equal to the chosen one"]


@pytest.mark.realdata
def test_a_real_multiframe_file_equals_its_slices():
    folder = real_data("dicom-quirks/seg/24x38x3")
    frames, _ = read_dicom(folder / "multiframe")
    slices, _ = read_dicom(folder / "image")
    np.testing.assert_array_equal(frames.voxels_zyx, slices.voxels_zyx)
    assert frames.grid.matches(slices.grid, 1e-3)
