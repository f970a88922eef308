"""Enhanced multi-frame CT reads like the same slices in single files."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from dicom_files import body, write, write_series
from multiframe_files import GRID, multiframe
from real_data import real_data


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
