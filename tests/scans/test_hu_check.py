"""Values that are not HU are found by their distribution, without false warnings for real scans, crops and metal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.scans.hu_check import hu_facts
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.scans.scan_warnings import warnings_of
from dicom_files import ct_slice, write
from real_data import FOLDER, real_data

SHAPE = (24, 64, 64)
GRID = Grid(SHAPE, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


def body_hu(noise_hu=12, seed=0, lungs=True) -> np.ndarray:
    """Body with fat, soft tissue, bone and, optionally, lungs in air, int16 HU [z, y, x]."""
    z, y, x = np.indices(SHAPE)
    radius = np.hypot((y - 32) / 26, (x - 32) / 30)
    hu = np.where(radius < 1, -100.0, -1000.0)
    hu[radius < 0.9] = 45
    hu[(radius < 0.5) & (x < 32) & lungs] = -850
    hu[(np.hypot(y - 50, x - 32) < 5)] = 400 + 40 * (z[np.hypot(y - 50, x - 32) < 5] % 10)
    return clipped(hu + np.random.default_rng(seed).normal(0, noise_hu, SHAPE))


def clipped(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, AIR_HU, 32767)).astype(np.int16)


def told(hu: np.ndarray) -> list[str]:
    return warnings_of(hu_facts(hu))


def with_metal(hu: np.ndarray, share: float, value: int) -> np.ndarray:
    """The HU with a block of metal that has this share of the voxels."""
    side = max(1, round((share * hu.size) ** (1 / 3)))
    hu = hu.copy()
    hu[6 : 6 + side, 20 : 20 + side, 20 : 20 + side] = value
    return hu


def with_padding(hu: np.ndarray, value: int) -> np.ndarray:
    _, y, x = np.indices(SHAPE)
    return np.where(np.hypot(y - 32, x - 32) > 31.5, value, hu).astype(np.int16)


GOOD = {
    "a body": body_hu(),
    "with much noise": body_hu(80),
    "without lungs": body_hu(lungs=False),
    "padding at -1024": with_padding(body_hu(), -1024),
    "a crop without air": body_hu()[:, 14:18, 30:60],
    "a crop of bone": body_hu()[:, 46:54, 28:36],
    "a crop of lung": body_hu()[:, 26:38, 20:30],
    "metal": with_metal(body_hu(), 0.01, 3071),
    "much metal on a scale of 16 bits": with_metal(body_hu(), 0.03, 12000),
    "blank slices": np.concatenate([np.full((4, 64, 64), -1024, np.int16), body_hu()]),
}


@pytest.mark.parametrize("name", GOOD)
def test_scans_in_hu_are_left_in_peace(name):
    assert told(GOOD[name]) == []


@pytest.mark.parametrize("offset", [1000, 1024])
@pytest.mark.parametrize("noise_hu", [5, 40])
@pytest.mark.parametrize("padding", [None, -1024])
@pytest.mark.parametrize("lungs", [True, False])
def test_an_offset_is_found(offset, noise_hu, padding, lungs):
    hu = clipped(body_hu(noise_hu, lungs=lungs).astype(int) + offset)
    (text,) = told(hu if padding is None else with_padding(hu, padding))
    assert "about 1024 too high; give convert.rescale: [1, -1024] (--rescale 1 -1024" in text


@pytest.mark.parametrize("noise_hu", [5, 40])
@pytest.mark.parametrize("lungs", [True, False])
def test_an_intercept_that_was_subtracted_twice_is_found(noise_hu, lungs, tmp_path):
    values = body_hu(noise_hu, lungs=lungs) - 1024
    (text,) = told(clipped(values))
    assert "about 1024 too low; give convert.rescale: [1, 1024] (--rescale 1 1024" in text
    write_nifti(Volume(values.astype(np.int16), GRID), tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz", rescale=[1, 1024])
    assert scan.facts["warnings"] == []
    np.testing.assert_array_equal(scan.volume.voxels_zyx, values + 1024)


@settings(max_examples=25)
@given(st.integers(-700, 0), st.integers(100, 1500))
def test_a_window_is_found(low, high):
    """An end of the window is reported if many voxels are beyond it, and not if almost none are."""
    hu = body_hu()
    cut = np.clip(hu, low, high)
    found = hu_facts(cut)["windowed"]
    assert found["low"] == low
    share = (hu > high).mean()
    assert found["high"] in ({high} if share > 0.002 else {None} if share < 0.0005 else {high, None})


def test_a_window_that_keeps_air_is_found_by_its_upper_end():
    assert "the values end at 600 HU" in told(np.clip(body_hu(), -1024, 600))[0]


@pytest.mark.parametrize("value", [32767, 31743, 4095])
def test_padding_above_all_tissue_is_found(value):
    (text,) = told(with_padding(body_hu(), value))
    assert "of the voxels lie above 3071 HU" in text
    assert "PixelPaddingValue" in text


@pytest.mark.parametrize("slices", [[0], [10], [23], [5, 6, 7], [3, 12]])
@pytest.mark.parametrize("offset", [1024, 1000])
def test_slices_with_another_offset_are_found(slices, offset):
    hu = body_hu().astype(int)
    hu[slices] += offset
    (text,) = told(clipped(hu))
    assert "values of whole slices jump" in text
    edges = {edge for place in slices for edge in (place, place + 1) if 0 < edge < SHAPE[0]}
    expected = {edge for edge in edges if (edge - 1 in slices) != (edge in slices)}
    assert {jump["after_slice"] for jump in hu_facts(clipped(hu))["jumps"]} == expected


def series(folder, hu, bare=(), intercept=-1024, compress=None):
    """Write a series; the slices `bare` have no RescaleSlope and RescaleIntercept."""
    for index, plane in enumerate(hu):
        lacking = {"RescaleIntercept": None, "RescaleSlope": None} if index in bare else {}
        dataset = ct_slice((plane.astype(int) - intercept).astype(np.uint16), GRID, index, RescaleIntercept=intercept)
        for keyword in lacking:
            delattr(dataset, keyword)
        if compress:
            dataset.compress(compress, generate_instance_uid=False)
        write(dataset, folder / f"{index:02}.dcm")
    return folder


def test_slices_that_all_lack_their_rescaling_are_told_even_where_the_values_are_hu(tmp_path):
    for index, plane in enumerate(body_hu()):
        write(ct_slice(plane, GRID, index, RescaleIntercept=None), tmp_path / f"{index:02}.dcm")
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, body_hu())
    assert scan.facts["warnings"] == [
        "no slice has a RescaleIntercept, which CT must have: the stored values were taken as HU"
    ]


def test_slices_that_lack_an_intercept_of_0_lose_nothing(tmp_path):
    for index, plane in enumerate(body_hu()):
        intercept = {"RescaleIntercept": None if index == 3 else 0}
        write(ct_slice(plane, GRID, index, **intercept), tmp_path / f"{index:02}.dcm")
    np.testing.assert_array_equal(read_scan(tmp_path).volume.voxels_zyx, body_hu())


@pytest.mark.parametrize("compress", [None, "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize("bare", [[4], range(24)])
def test_the_rescaling_that_is_given_is_that_of_the_slices_without_one(tmp_path, bare, compress):
    folder = series(tmp_path, body_hu(), bare, compress=compress)
    scan = read_scan(folder, rescale=[1, -1024])
    np.testing.assert_array_equal(scan.volume.voxels_zyx, body_hu())
    assert (scan.facts["warnings"], scan.facts["rescaled"]) == ([], [1, -1024])


def test_slices_that_were_rescaled_are_not_rescaled_again(tmp_path):
    tissue = np.maximum(body_hu(), 20)
    with pytest.raises(InputError, match="holds values from 20 to"):
        read_scan(series(tmp_path, tissue, bare=range(len(tissue))), rescale=[1, -1024])


def test_padding_of_a_rescaled_slice_is_air(tmp_path):
    stored = (body_hu().astype(int) + 1024).astype(np.uint16)
    stored[:, :3] = 63536
    for index, plane in enumerate(stored):
        elements = {"RescaleIntercept": None, "PixelPaddingValue": ("US", 63536)}
        write(ct_slice(plane, GRID, index, **elements), tmp_path / f"{index:02}.dcm")
    scan = read_scan(tmp_path, rescale=[1, -1024])
    assert (scan.volume.voxels_zyx[:, :3] == AIR_HU).all()
    assert scan.facts["warnings"] == []


@pytest.mark.parametrize("slope", [1, 0.5])
def test_a_file_of_stored_values_is_rescaled_where_it_shows_that_it_is_none(tmp_path, slope):
    stored = ((body_hu().astype(np.float32) + 1024) / slope).astype(np.float32)
    write_nifti(Volume(stored, GRID), tmp_path / "stored.nii.gz")
    write_nifti(Volume(body_hu(), GRID), tmp_path / "hu.nii.gz")
    if slope == 1:
        with pytest.raises(InputError, match=r"values from 0 to .* HU \+1024, convert.rescale: \[1, -1024\]"):
            read_scan(tmp_path / "stored.nii.gz")
    scan = read_scan(tmp_path / "stored.nii.gz", rescale=[slope, -1024])
    np.testing.assert_array_equal(scan.volume.voxels_zyx, body_hu())
    good = read_scan(tmp_path / "hu.nii.gz", rescale=[slope, -1024])
    np.testing.assert_array_equal(good.volume.voxels_zyx, body_hu())
    assert "rescaled" not in good.facts


REAL = [f"sarcoma-nifti/STS_{number:03}/image.nii.gz" for number in range(1, 31)]
REAL += [f"chest-nifti/{name}/image.nii.gz" for name in ("cmb-crc-01068", "nsclc-r01-001", "lidc-0001", "4dlung-113")]
REAL += ["abdomen/ct.nii.gz", "abdomen/ct-dicom-jpeg2000", "dicom-quirks/seg/ct-3slice"]
REAL += [f"lidc-dicom/LIDC-IDRI-000{number}" for number in (1, 2, 3)]
REAL += [str(path.relative_to(FOLDER)) for path in sorted(FOLDER.glob("sarcoma-dicom/*/CT/image"))]


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_a_real_scan_is_left_in_peace_and_told_where_it_was_changed(name):
    scan = read_scan(real_data(name))
    assert scan.facts["warnings"] == []
    hu = np.array(scan.volume.voxels_zyx)
    assert hu_facts(clipped(hu.astype(int) + 1024))["hu_offset"] == 1024
    assert hu_facts(np.clip(hu, -160, 240))["windowed"]
    assert hu_facts(np.clip(hu, -1000, 400))["windowed"]["high"] == 400
    middle = len(hu) // 2
    hu[middle] = clipped(hu[middle].astype(int) + 1024)
    assert middle in {jump["after_slice"] for jump in hu_facts(hu)["jumps"]}
