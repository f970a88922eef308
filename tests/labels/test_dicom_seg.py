"""DICOM SEG objects become masks on the grid of their image, for any positions and order of the frames."""

import tracemalloc
from itertools import permutations, product

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, HTJ2KLossless, RLELossless
from scipy.spatial.transform import Rotation

from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels import dicom_seg
from ctseg.labels.alignment import Tolerance
from ctseg.labels.dicom_seg import read_segments
from ctseg.labels.read_label import LabelSettings, read_label
from dicom_files import write, write_seg
from grids import turned
from real_data import real_data

SHAPE = (5, 7, 9)  # 63 bits per frame: only the first frame begins at a byte border
GRID = Grid(SHAPE, (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
RNG = np.random.default_rng(0)
TUMOUR, NODE = RNG.random(SHAPE) < 0.2, RNG.random(SHAPE) < 0.1
TUMOUR[1] = NODE[3:] = False  # slices without a frame
EXACT = Tolerance(0.05, 0.05)
WANTED = {"tumour": ["Tumour 1"], "node": ["node"]}


def read(path, grid=GRID, **options):
    wanted = options.pop("wanted", WANTED)
    return {name: found.mask for name, found in read_segments(path, wanted, grid, "image", EXACT, **options)}


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_frames_are_placed_by_where_they_lie(tmp_path, kind, shuffled):
    scale = 1 if kind == "BINARY" else 150
    segments = {"Tumour 1": TUMOUR * scale, "node": NODE * scale}
    order = np.random.default_rng(1).permutation if shuffled else None
    masks = read(write_seg(tmp_path / "seg", segments, GRID, kind, order))
    np.testing.assert_array_equal(masks["tumour"], TUMOUR)
    np.testing.assert_array_equal(masks["node"], NODE)


def test_half_of_the_largest_fraction_is_inside(tmp_path):
    fractions = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 201
    masks = read(write_seg(tmp_path / "seg", {"node": fractions}, GRID, "FRACTIONAL"), wanted={"node": ["node"]})
    np.testing.assert_array_equal(masks["node"], fractions >= 100)


def test_a_label_map(tmp_path):
    masks = read(write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR, "node": NODE}, GRID, "LABELMAP"))
    np.testing.assert_array_equal(masks["tumour"], TUMOUR & ~NODE)
    np.testing.assert_array_equal(masks["node"], NODE)


@settings(max_examples=20, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 4)] * 3),
    order=st.sampled_from(list(permutations(range(3)))),
    flips=st.sampled_from(list(product([False, True], repeat=3))),
)
def test_any_grid_and_any_order_of_its_axes(tmp_path_factory, angles, spacing, order, flips):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = (11.5, -200.25, 300)
    grid = Grid.from_affine(affine, SHAPE)
    stored = turned(Volume(TUMOUR, grid), order, flips)
    path = write_seg(tmp_path_factory.mktemp("seg") / "seg", {"a": stored.voxels_zyx}, stored.grid)
    label = read_label(path, LabelSettings({"a": 1}), grid, "image")
    np.testing.assert_array_equal(label.voxels_zyx, TUMOUR)


def test_several_segments_unite_and_missing_ones_are_told(tmp_path):
    path = write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR, "node": NODE}, GRID)
    np.testing.assert_array_equal(read(path, wanted={"all": ["/.*/"]})["all"], TUMOUR | NODE)
    with pytest.raises(InputError, match=r'no segment called "liver"; .* one or more of: "Tumour 1", "node"'):
        read(path, wanted={"liver": ["liver"]})
    assert not read(path, wanted={"liver": ["liver"]}, missing_ok=True)["liver"].any()


def test_a_segmentation_of_another_scan_is_refused_with_both_boxes(tmp_path):
    path = write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR, "node": NODE}, GRID)
    moved = Grid(SHAPE, GRID.spacing_xyz_mm, (50.0, 4.0, 30.0), GRID.direction)
    with pytest.raises(InputError, match=r"tumour in .*seg lies outside of image: pixels over x -9.* image over x 50"):
        read(path, moved)
    finer = Grid((10, 14, 18), (0.35, 0.45, 1.3), GRID.origin_xyz_mm, GRID.direction)
    with pytest.raises(InputError, match=r"does not lie on the voxels of image but has pixels of 0\.9 x 0\.7 mm"):
        read(path, finer)
    beside = Grid(SHAPE, GRID.spacing_xyz_mm, (-9.0, 4.2, 30.0), GRID.direction)
    with pytest.raises(
        InputError, match=r"lies up to 0\.2 mm beside them, and 0\.05 mm .* convert.label_off_mm: 0\.21"
    ):
        read(path, beside)


def test_a_segmentation_of_coarser_pixels_or_slices_is_refused_though_its_centres_lie_on_voxels(tmp_path):
    fine = Grid((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), GRID.direction)
    for spacing, problem in [
        ((2.0, 2.0, 1.0), "has pixels of 2 x 2 mm"),
        ((1.0, 1.0, 3.0), "has planes 3 slices apart"),
    ]:
        coarse = Grid((6, 6, 6), spacing, fine.origin_xyz_mm, fine.direction)
        path = write_seg(tmp_path / "seg", {"a": np.ones(coarse.shape_zyx)}, coarse)
        with pytest.raises(InputError, match=f"does not lie on the voxels of image but {problem}"):
            read(path, fine, wanted={"a": ["a"]})


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [-0.5, 0.5])
def test_a_segmentation_half_a_voxel_beside_its_scan_keeps_all_planes_if_that_is_allowed(tmp_path, axis, side):
    mask = np.zeros(SHAPE, bool)
    mask[0:4, 1:6, 2:8] = True
    beside = GRID.points_xyz_mm(np.eye(3)[[axis]] * side)[0]
    grid = Grid(SHAPE, GRID.spacing_xyz_mm, tuple(beside.tolist()), GRID.direction)
    path = write_seg(tmp_path / "seg", {"a": mask}, grid)
    [(_, found)] = read_segments(path, {"a": ["a"]}, GRID, "image", Tolerance(0.05, 2))
    np.testing.assert_array_equal(found.mask, mask if side < 0 else np.roll(mask, 1, axis))
    [told] = found.warnings
    assert told.startswith(f"the label lies {GRID.spacing_zyx_mm[axis] / 2:.3g} mm beside the voxels of its scan")


def test_an_unreadable_compression_is_named(tmp_path):
    path = write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR * 200}, GRID, "FRACTIONAL")
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([b"1234"] * dataset.NumberOfFrames)
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    write(dataset, path)
    with pytest.raises(
        InputError, match=r"is a DICOM SEG compressed as High-Throughput JPEG 2000 .* export it uncompr"
    ):
        read(path, wanted={"tumour": ["Tumour 1"]})


@pytest.mark.parametrize(
    "elements",
    [{"PixelData": b"12"}, {"Rows": 0}, {"NumberOfFrames": 3}, {"SegmentationType": "FRACTIONAL", "BitsAllocated": 8}],
)
def test_damaged_objects_are_refused(tmp_path, elements):
    path = write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR, "node": NODE}, GRID, **elements)
    with pytest.raises(InputError, match="seg is a DICOM SEG that cannot be read"):
        read(path)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("large_bytes", [16, 2**20])
@pytest.mark.parametrize("way", ["plain", "deflated", "run lengths"])
def test_frames_are_the_same_however_they_are_stored(tmp_path, monkeypatch, kind, large_bytes, way):
    """Elements of more than `large_bytes` stay in the file until they are used."""
    monkeypatch.setattr(dicom_seg, "LARGE_BYTES", large_bytes)
    scale = 200 if kind == "FRACTIONAL" else 1
    segments = {"other": (RNG.random(SHAPE) < 0.5) * scale, "Tumour 1": TUMOUR * scale, "node": NODE * scale}
    path = write_seg(tmp_path / "seg", segments, GRID, kind, np.random.default_rng(1).permutation)
    dataset = pydicom.dcmread(path)
    if way == "deflated":
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    elif way == "run lengths" and kind != "BINARY":
        dataset.compress(RLELossless)
    write(dataset, path)
    masks = read(path)
    np.testing.assert_array_equal(masks["tumour"], TUMOUR & ~NODE if kind == "LABELMAP" else TUMOUR)
    np.testing.assert_array_equal(masks["node"], NODE)


@pytest.mark.parametrize("large_bytes", [16, 2**20])
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_file_without_its_last_bytes_is_refused(tmp_path, monkeypatch, kind, large_bytes):
    monkeypatch.setattr(dicom_seg, "LARGE_BYTES", large_bytes)
    path = write_seg(tmp_path / "seg", {"Tumour 1": TUMOUR, "node": NODE}, GRID, kind)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="seg is a DICOM SEG that cannot be read: it is damaged"):
        read(path, wanted={"tumour": ["Tumour 1"]})


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_unwanted_segments_take_no_memory_but_for_the_headers_of_their_frames(tmp_path, kind):
    grid = Grid((4, 501, 501), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), GRID.direction)
    peaks = []
    for unwanted in (1, 40):
        segments = {f"organ {number}": np.zeros(grid.shape_zyx, np.uint8) for number in range(unwanted)}
        for number, mask in enumerate(segments.values()):
            mask[:, 10 * number : 10 * number + 50, 20:480] = 1
        tumour = np.zeros(grid.shape_zyx, np.uint8)
        tumour[1:, 200:220, 300:330] = 1
        path = write_seg(tmp_path / f"{unwanted}", segments | {"Tumour 1": tumour}, grid, kind)
        tracemalloc.start()
        found = read(path, grid, wanted={"tumour": ["Tumour 1"]})["tumour"]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        np.testing.assert_array_equal(found, tumour)
    frames = 39 * 4 if kind == "BINARY" else 0
    assert peaks[1] < 1.1 * peaks[0] + frames * 12_000  # a frame has 251,001 pixels


@pytest.mark.realdata
def test_a_real_object_equals_the_mask_that_another_program_made_of_it():
    folder = real_data("dicom-quirks/seg/24x38x3")
    scan, _ = read_dicom(folder / "image")
    masks = [
        read_label(path, LabelSettings({"liver": 1}), scan.grid, "image").voxels_zyx
        for path in (folder / "seg" / "label.seg", folder / "seg", folder / "nrrd" / "label.nrrd")
    ]
    assert masks[0].any()
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


@pytest.mark.realdata
def test_a_real_liver_lies_in_soft_tissue():
    scan, _ = read_dicom(real_data("dicom-quirks/seg/ct-3slice"))
    mask = read_label(real_data("dicom-quirks/seg/liver.dcm"), LabelSettings({"liver": 1}), scan.grid, "image")
    inside = scan.voxels_zyx[mask.voxels_zyx > 0]
    assert 20 < np.median(inside) < 200
