"""Real series against the converter dcm2niix: the same values at the same positions."""

import subprocess

import numpy as np
import pytest
from dcm2niix import bin as DCM2NIIX
from scipy.ndimage import affine_transform

from ctseg.dicom.read_ct import read_dicom
from ctseg.geometry.volume import AIR_HU, Volume
from ctseg.scans.nifti import read_nifti
from real_data import real_data

pytestmark = [pytest.mark.dcm2niix, pytest.mark.realdata]


def convert(folder, out) -> list[Volume]:
    """Volumes that dcm2niix writes for a folder."""
    command = [DCM2NIIX, "-z", "n", "-b", "n", "-f", "%s_%p", "-o", out, folder]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return [read_nifti(path) for path in sorted(out.glob("*.nii"))]


def at_the_places_of(reference: Volume, volume: Volume) -> np.ndarray:
    """Values of `volume` at the voxels [z, y, x] of `reference`, interpolated linearly; −1024 outside."""
    corners = np.argwhere(np.ones((2, 2, 2))) * (np.array(reference.grid.shape_zyx) - 1)
    to_volume = np.linalg.solve(volume.grid.affine, reference.grid.affine)
    matrix, offset = to_volume[2::-1, 2::-1], to_volume[2::-1, 3]
    # A rounding error must not move a position beyond the last slice.
    whole = np.rint(matrix), np.rint(offset)
    if np.abs(corners @ (matrix - whole[0]).T + offset - whole[1]).max() < 1e-3:
        matrix, offset = whole
    voxels = volume.voxels_zyx.astype(np.float32)
    return affine_transform(voxels, matrix, offset, reference.grid.shape_zyx, order=1, cval=AIR_HU)


@pytest.mark.parametrize(
    "folder",
    [
        "sarcoma-dicom/STS_002/CT/image",
        "sarcoma-dicom/STS_014/CT/image",
        "abdomen/ct-dicom-jpeg2000",
        "lidc-dicom/LIDC-IDRI-0001",
        "lidc-dicom/LIDC-IDRI-0002",
        "dicom-quirks/seg/ct-3slice",
        "dicom-quirks/seg/24x38x3/multiframe",
    ],
)
def test_the_same_values_at_the_same_places(folder, tmp_path):
    volume, _ = read_dicom(real_data(folder))
    [reference] = convert(real_data(folder), tmp_path)
    clipped = np.clip(reference.voxels_zyx, AIR_HU, None)  # ctseg reads padding below −1024 HU as air
    np.testing.assert_array_equal(at_the_places_of(reference, volume), clipped)


def test_a_tilted_gantry_lies_where_dcm2niix_puts_it(tmp_path):
    volume, facts = read_dicom(real_data("dicom-quirks/irregular/gantrytilting/001"))
    assert facts["tilt_deg"] > 10
    references = convert(real_data("dicom-quirks/irregular/gantrytilting/001"), tmp_path)
    orthogonal = [
        reference
        for reference in references
        if np.allclose(np.asarray(reference.grid.direction).T @ reference.grid.direction, np.eye(3), atol=1e-3)
    ]
    for reference in orthogonal:
        ours = at_the_places_of(reference, volume)
        inside = (ours > AIR_HU) & (reference.voxels_zyx > AIR_HU)
        assert np.abs(ours - reference.voxels_zyx)[inside].mean() < 5
    assert orthogonal
