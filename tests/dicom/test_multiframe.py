"""Enhanced multi-frame CT reads like the same slices in single files."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, JPEG2000Lossless, JPEGLSLossless, RLELossless, generate_uid

from ctseg.dicom.multiframe import pixels_alone
from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from dicom_files import body, items, write, write_series
from multiframe_files import GRID, add_macro, compress, multiframe, phases, write_single_frames
from real_data import real_data

SLOPES = [1.0, 2.0, 4.0, 8.0]


def steps_of_8_hu():
    """Random HU [z, y, x] that each of `SLOPES` can store."""
    return (body(GRID.shape_zyx) // 8 * 8).astype(np.int16)


def test_frames_are_placed_by_their_functional_groups(tmp_path):
    hu = body(GRID.shape_zyx)
    write(multiframe(hu), tmp_path / "one")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert volume.grid.matches(GRID, 1e-6)
    assert facts["series"]["chosen"]["images"] == 4


def test_each_frame_has_its_own_rescaling(tmp_path):
    hu = steps_of_8_hu()
    write(multiframe(hu, SLOPES), tmp_path / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("slopes", [SLOPES, SLOPES[::-1], [2.0] * 4, None])
def test_each_compressed_frame_has_its_own_rescaling(tmp_path, syntax, slopes):
    hu = steps_of_8_hu()
    write(compress(multiframe(hu, slopes), syntax, tmp_path), tmp_path / "ct" / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path / "ct")[0].voxels_zyx, hu)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2"])
def test_compressed_frames_equal_plain_ones(tmp_path, kind):
    """Fractional slopes, intercepts and padding; the first frame holds HU as stored."""
    dataset = multiframe(body(GRID.shape_zyx), SLOPES, PixelPaddingValue=("SS" if kind[0] == "i" else "US", 7))
    stored = (np.arange(np.prod(GRID.shape_zyx)) % 120).astype(kind)
    dataset.PixelData, bits = stored.tobytes(), stored.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(kind[0] == "i")
    for place, (slope, intercept) in enumerate([(1.0, 0.0), (0.1, -0.5), (-2.5, 20.25), (300.0, -1024.0)]):
        add_macro(dataset, place, "PixelValueTransformationSequence", RescaleSlope=slope, RescaleIntercept=intercept)
    plain, _ = read_dicom(write(dataset, tmp_path / "plain" / "one").parent)
    read, _ = read_dicom(write(compress(dataset, RLELossless, tmp_path), tmp_path / "rle" / "one").parent)
    np.testing.assert_array_equal(read.voxels_zyx, plain.voxels_zyx)


def test_compressed_frames_are_rescaled_whatever_the_class_of_the_file(tmp_path):
    hu, dataset = body(GRID.shape_zyx), compress(multiframe(body(GRID.shape_zyx)), RLELossless, tmp_path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    write(dataset, tmp_path / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


def test_the_copy_for_decoding_names_no_patient(tmp_path):
    path = write(compress(multiframe(body(GRID.shape_zyx)), RLELossless, tmp_path), tmp_path / "one")
    assert b"SECRETID" in path.read_bytes()
    with pixels_alone(path, RLELossless) as copy:
        content = copy.read_bytes()
    assert not any(word in content for word in (b"SECRETID", b"Secret", b"19991231"))
    assert not copy.parent.exists()


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_files_of_one_frame_are_a_series(tmp_path, syntax):
    hu = steps_of_8_hu()
    volume, facts = read_dicom(write_single_frames(tmp_path, hu, SLOPES, syntax))
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert volume.grid.matches(GRID, 1e-6)
    assert facts["series"]["chosen"]["images"] == 4


def test_a_file_of_one_frame_may_have_only_shared_groups(tmp_path):
    hu = steps_of_8_hu()
    for path in write_single_frames(tmp_path, hu, SLOPES).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SharedFunctionalGroupsSequence[0].update(dataset.PerFrameFunctionalGroupsSequence[0])
        del dataset.PerFrameFunctionalGroupsSequence
        write(dataset, path)
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


@pytest.mark.parametrize(
    ("macro", "element", "name"),
    [
        ("FrameContentSequence", "TemporalPositionIndex", "time point"),
        ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase", "cardiac phase"),
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", "trigger time"),
    ],
)
def test_phases_in_one_file_are_told_apart(tmp_path, macro, element, name):
    first, second = body((3, 32, 40), seed=1), body((3, 32, 40), seed=2)
    write(phases(first, second, macro, element), tmp_path / "one")
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, first)
    assert facts["series"]["chosen"]["part"] == f"{name} 1 of 2"
    assert [other["part"] for other in facts["series"]["others"]] == [f"{name} 2 of 2"]


def test_facts_come_from_the_functional_groups(tmp_path):
    dataset = multiframe(body(GRID.shape_zyx))
    for place in range(4):
        add_macro(dataset, place, "CTXRayDetailsSequence", KVP=100)
        add_macro(dataset, place, "CTAdditionalXRaySourceSequence", KVP=140)
        add_macro(dataset, place, "FrameAnatomySequence", AnatomicRegionSequence=[items(CodeMeaning="Head and Neck")])
        add_macro(dataset, place, "ContrastBolusUsageSequence", ContrastBolusAgentAdministered="NO")
        given = items(ContrastBolusAgentAdministered="YES")
        dataset.PerFrameFunctionalGroupsSequence[place].ContrastBolusUsageSequence.append(given)
    write(dataset, tmp_path / "one")
    _, facts = read_dicom(tmp_path)
    assert (facts["kvp"], facts["head"], facts["contrast"]) == (100, True, True)


def test_private_groups_and_empty_elements_replace_no_standard_ones(tmp_path):
    hu = body(GRID.shape_zyx)
    dataset = multiframe(hu)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        block = group.private_block(0x2005, "ANYONE", create=True)
        block.add_new(0x0F, "SQ", [items(RescaleSlope=3, RescaleIntercept=0)])
        group.PixelValueTransformationSequence = [items(RescaleIntercept=None)]
    write(dataset, tmp_path / "one")
    np.testing.assert_array_equal(read_dicom(tmp_path)[0].voxels_zyx, hu)


@pytest.mark.parametrize("n_frames", [1, 3, 5])
def test_as_many_groups_as_frames_are_needed(tmp_path, n_frames):
    dataset = multiframe(body(GRID.shape_zyx))
    dataset.NumberOfFrames = n_frames
    write(dataset, tmp_path / "one")
    with pytest.raises(InputError, match="one has damaged functional groups"):
        read_dicom(tmp_path)


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


def test_a_cut_compressed_file_is_named(tmp_path):
    path = write(compress(multiframe(body(GRID.shape_zyx)), RLELossless, tmp_path), tmp_path / "one")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match=r"one cannot be decoded \(RLE Lossless\)"):
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
