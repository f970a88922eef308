"""Position and HU of a slice, for all storage formats of pixel values."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import zstandard

from ctseg.dicom.header import read_header
from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.slice import optional_number, parse_slice, read_hu, rescaled
from ctseg.errors import InputError
from ctseg.geometry.volume import AIR_HU
from dicom_files import ct_slice, write
from real_data import real_data
from small_series import grid_of, header_of, slice_of, write_stored


def test_each_slice_has_its_own_rescaling(tmp_path):
    grid = grid_of(2)
    for index, (slope, intercept) in enumerate([(2, -100), (0.5, -1000.25)]):
        stored = np.full((5, 6), 301, np.int16)
        write(ct_slice(stored, grid, index, RescaleSlope=slope, RescaleIntercept=intercept), tmp_path / f"{index}")
    volume, _ = read_dicom(tmp_path)
    assert volume.voxels_zyx[0, 0, 0] == 502
    assert volume.voxels_zyx[1, 0, 0] == -850  # 150.5 − 1000.25 = −849.75


@pytest.mark.parametrize(
    "stored, elements",
    [
        (-2000, {"PixelPaddingValue": ("SS", -2000)}),
        (-2000, {"PixelPaddingValue": ("US", 63536)}),  # a negative value, written as if unsigned
        (3000, {"PixelPaddingValue": ("SS", 2900), "PixelPaddingRangeLimit": ("SS", 3100)}),
        (0, {"PixelPaddingValue": ("SS", 0), "RescaleIntercept": 0}),
        (-5, {}),  # −1029 HU
    ],
)
def test_padding_is_air(tmp_path, stored, elements):
    voxels = np.full((2, 5, 6), 1100, np.int16)
    voxels[:, 0, 0] = stored
    volume, _ = read_dicom(write_stored(tmp_path, voxels, **elements))
    assert (volume.voxels_zyx[:, 0, 0] == AIR_HU).all()
    assert (volume.voxels_zyx[:, 1:] > AIR_HU).all()


@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", "<i2", "<u4", "<i4"])
def test_all_integer_types_are_read(tmp_path, kind):
    stored = np.arange(2 * 5 * 6).reshape(2, 5, 6).astype(kind)
    volume, _ = read_dicom(write_stored(tmp_path, stored, RescaleIntercept=-30))
    np.testing.assert_array_equal(volume.voxels_zyx, stored.astype(int) - 30)


@pytest.mark.parametrize("kind", ["u1", "<u2", "<i2"])
@pytest.mark.parametrize("intercept", [0, -1024, -0.5])
def test_compressed_slices_are_rescaled_and_padded_alike(tmp_path, kind, intercept):
    stored = (np.arange(2 * 32 * 40) % 200).reshape(2, 32, 40).astype(kind)
    padding = ("SS" if kind == "<i2" else "US", 7)
    elements = {"RescaleIntercept": intercept, "PixelPaddingValue": padding}
    plain, _ = read_dicom(write_stored(tmp_path / "plain", stored, **elements))
    for index in range(2):
        dataset = ct_slice(stored[index], grid_of(2, shape_yx=(32, 40)), index, **elements)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        write(dataset, tmp_path / "rle" / f"{index}")
    volume, facts = read_dicom(tmp_path / "rle")
    np.testing.assert_array_equal(volume.voxels_zyx, plain.voxels_zyx)
    assert volume.voxels_zyx[0, 0, 7] == AIR_HU
    assert facts["transfer_syntax"] == "RLE Lossless"


@pytest.mark.parametrize("rescale", [None, [1.0, -1024.0]])
@pytest.mark.parametrize("slope", [None, 2.0])
def test_compressed_slices_without_intercept_read_like_plain_ones(tmp_path, slope, rescale):
    stored = np.arange(2 * 32 * 40, dtype=np.uint16).reshape(2, 32, 40)
    elements = {"RescaleSlope": slope, "RescaleIntercept": None}
    plain, _ = read_dicom(write_stored(tmp_path / "plain", stored, **elements), rescale=rescale)
    for path in write_stored(tmp_path / "rle", stored, **elements).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        write(dataset, path)
    volume, _ = read_dicom(tmp_path / "rle", rescale=rescale)
    np.testing.assert_array_equal(volume.voxels_zyx, plain.voxels_zyx)


def test_bits_that_are_not_stored_are_ignored(tmp_path):
    values = np.arange(-30, 30, dtype=np.int16).reshape(2, 5, 6)
    overlay = (values & 0x0FFF) | 0x5000  # a 12-bit number below four bits of something else
    elements = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0}
    volume, _ = read_dicom(write_stored(tmp_path / "low", overlay.astype(np.int16), **elements))
    np.testing.assert_array_equal(volume.voxels_zyx, values)
    volume, _ = read_dicom(write_stored(tmp_path / "high", values << 4, **(elements | {"HighBit": 15})))
    np.testing.assert_array_equal(volume.voxels_zyx, values)


def test_values_beyond_int16_are_clipped(tmp_path):
    stored = np.full((2, 5, 6), 60000, np.uint16)
    volume, _ = read_dicom(write_stored(tmp_path, stored))
    assert (volume.voxels_zyx == 32767).all()


REFERENCE = "dicom-quirks/syntaxes/CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm"


LOSSLESS = ["LittleEndianImplicit", "BigEndian", "Deflated", "JPEG2000Lossless", "JPEGLSLossless", "JPEGProcess14T"]


LOSSLESS += ["JPEGProcess14SV1", "RLELossless"]


LOSSY_HU = {"JPEG2000T": 5, "JPEGLSLossy": 1, "Process10_12": 36, "Process2_4": 36, "Process6_8": 36, "Process1T": 65}


def slice_twice(path: Path, folder: Path) -> np.ndarray:
    """HU [y, x] of a real slice, read as the first slice of a stack of two copies."""
    folder.mkdir(exist_ok=True)
    for index in range(2):
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient[2] += index * 5.0
        dataset.save_as(folder / f"{index}")
    return read_dicom(folder)[0].voxels_zyx[0]


@pytest.mark.realdata
@pytest.mark.parametrize("syntax", LOSSLESS + list(LOSSY_HU))
def test_transfer_syntaxes(tmp_path, syntax):
    reference = slice_twice(real_data(REFERENCE), tmp_path / "reference").astype(int)
    (path,) = real_data("dicom-quirks/syntaxes").glob(f"*{syntax}*")
    difference = np.abs(slice_twice(path, tmp_path / "read") - reference)
    assert difference.max() <= LOSSY_HU.get(syntax, 0)
    if syntax not in LOSSY_HU:
        assert reference.min() == AIR_HU


@pytest.mark.realdata
@pytest.mark.parametrize("image", ["CT1", "CT2"])
@pytest.mark.parametrize("syntax", ["J2KR", "JLSL", "JPLL", "RLE", "J2KI", "JLSN"])
def test_images_of_the_standards_working_group(tmp_path, syntax, image):
    folder = real_data("dicom-quirks/syntaxes-wg04")
    plain = zstandard.ZstdDecompressor().stream_reader((folder / "REF" / f"{image}_UNC.zst").read_bytes()).read()
    (tmp_path / "plain").write_bytes(plain)
    reference = slice_twice(tmp_path / "plain", tmp_path / "reference").astype(int)
    read = slice_twice(folder / syntax / f"{image}_{syntax}", tmp_path / "read")
    assert reference.std() > 100
    if syntax in ("J2KI", "JLSN"):  # with loss
        assert not np.array_equal(read, reference)
        assert np.corrcoef(read.ravel(), reference.ravel())[0, 1] > 0.99
    else:
        np.testing.assert_array_equal(read, reference)


@pytest.mark.realdata
def test_compressed_files_that_are_cut_are_named(tmp_path):
    (path,) = real_data("dicom-quirks/syntaxes").glob("*RLELossless*")
    slice_twice(path, tmp_path)
    content = (tmp_path / "1").read_bytes()
    (tmp_path / "1").write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(InputError, match=r"1 cannot be decoded \(RLE Lossless\)"):
        read_dicom(tmp_path)


COSINES = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]])


def test_a_slice_knows_its_place_and_its_axes():
    part = slice_of(grid_of(4), 2, PixelSpacing=[0.9, 0.7], ImageOrientationPatient=[1.004, 0, 0, 0, 1, 0])
    np.testing.assert_allclose(part.position_xyz_mm, [-9, 4, 34])
    np.testing.assert_array_equal(part.rows_columns, [[1, 0, 0], [0, 1, 0]])  # of unit length again
    assert (part.spacing_xy_mm, part.shape_yx, part.says_rescaling) == ((0.7, 0.9), (5, 6), True)
    turned = slice_of(grid_of(4), ImageOrientationPatient=COSINES.ravel().tolist())
    np.testing.assert_allclose(turned.normal, [0, 0, 1], atol=1e-12)


def test_a_slice_without_rescaling_has_its_stored_values():
    part = slice_of(grid_of(1), RescaleSlope=None, RescaleIntercept=None)
    assert (part.slope, part.intercept, part.says_rescaling) == (1, 0, False)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0.02, 1, 0]}, "not a pair of perpendicular unit vectors"),
        ({"ImageOrientationPatient": [1.02, 0, 0, 0, 1, 0]}, "not a pair of perpendicular unit vectors"),
        ({"PixelSpacing": [0.5, -0.5]}, "pixels without a size: 5 by 6 of 0.5 by -0.5 mm"),
        ({"PixelSpacing": [600, 600]}, "pixels of 600 x 600 mm, which no CT has"),
        ({"RescaleSlope": 0}, "a rescale slope of 0"),
        ({"RescaleIntercept": "nonsense"}, "lacks a usable RescaleIntercept"),
    ],
)
def test_a_header_that_gives_no_slice_is_refused(elements, message):
    header = header_of(grid_of(1))
    for keyword, value in elements.items():
        if value == "nonsense":
            header.dataset[keyword]._value = value  # as a damaged file has it
        else:
            setattr(header.dataset, keyword, value)
    with pytest.raises(InputError, match=f"0.dcm .*{message}"):
        parse_slice(header)


def test_padding_moves_with_another_rescaling():
    part = slice_of(grid_of(1), PixelPaddingValue=("SS", 100), PixelPaddingRangeLimit=("SS", 300))
    assert part.padding_hu == (-924, -724)
    changed = rescaled(part, -2, 10)
    assert (changed.slope, changed.intercept, changed.padding_hu) == (-2, 10, (-590, -190))


def test_optional_numbers():
    header = header_of(grid_of(1), SliceThickness="2.5", KVP="")
    assert [optional_number(header, name) for name in ("SliceThickness", "KVP", "TriggerTime")] == [2.5, None, None]


def test_a_negative_slope_turns_the_values_around(tmp_path):
    stored = np.arange(30, dtype=np.int16).reshape(5, 6)
    path = write(ct_slice(stored, grid_of(1), 0, RescaleSlope=-2, RescaleIntercept=5), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_hu(parse_slice(read_header(path))), 5 - 2 * stored)
