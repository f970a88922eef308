"""Outlines of LIDC-IDRI become one mask: pixels inside the outlines, by agreement of readers, in any orientation."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ctseg.errors import InputError
from ctseg.geometry.resample import orient, resample_labels
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.lidc_xml import read_lidc as read_structure
from ctseg.scans.nifti import read_nifti
from ctseg.scans.read_scan import read_scan
from real_data import real_data

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((6, 40, 50), (0.7, 0.7, 2.5), (-20.0, -30.0, -100.0), IDENTITY)  # slices at z −100 … −87.5
UID = "1.3.6.1.4.1.14519.5.2.1"


def read_lidc(*arguments) -> np.ndarray:
    return read_structure(*arguments).mask


def square(low: int, high: int, left: int | None = None) -> list[tuple[int, int]]:
    """Chain of pixels (row, column) around a square; `left` is its first column if it differs from `low`."""
    side = range(low, high)
    corners = [(low, x) for x in side] + [(y, high) for y in side]
    corners += [(high, x + 1) for x in reversed(side)] + [(y + 1, low) for y in reversed(side)]
    return [(y, x + (0 if left is None else left - low)) for y, x in corners]


def roi(pixels: list[tuple[int, int]], z_mm: float, inclusion: str = "TRUE") -> str:
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for y, x in pixels)
    return (
        f"<roi><imageZposition>{z_mm:f} </imageZposition><imageSOP_UID>{UID}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def write_xml(folder: Path, *readers: list[list[str]], root: str = "LidcReadMessage", start: str = "") -> Path:
    """Write an XML file; each reader is a list of nodules, each nodule a list of `roi` texts."""
    sessions = ""
    for nodules in readers:
        marks = "".join(
            f"<unblindedReadNodule><noduleID>Nodule 1</noduleID>{''.join(rois)}</unblindedReadNodule>"
            for rois in nodules
        )
        other = f"<nonNodule><imageZposition>9</imageZposition><imageSOP_UID>{UID}</imageSOP_UID></nonNodule>"
        sessions += (
            f"<readingSession><servicingRadiologistID>540461523</servicingRadiologistID>{marks}{other}</readingSession>"
        )
    header = f"<ResponseHeader><SeriesInstanceUid>{UID}</SeriesInstanceUid></ResponseHeader>"
    path = folder / "069.xml"
    path.write_text(f'{start}<{root} xmlns="http://www.nih.gov">{header}{sessions}</{root}>', encoding="utf-8")
    return path


def complaint(path: Path, grid: Grid = GRID, min_readers: int = 1) -> str:
    with pytest.raises(InputError) as caught:
        read_lidc(path, grid, "image.nii.gz", min_readers)
    assert UID not in str(caught.value)
    assert "540461523" not in str(caught.value)
    return str(caught.value)


def boxes(*spans: tuple[int, slice, slice]) -> np.ndarray:
    mask = np.zeros(GRID.shape_zyx, dtype=bool)
    for index, rows, columns in spans:
        mask[index, rows, columns] = True
    return mask


def test_an_outline_lies_outside_of_its_nodule(tmp_path):
    path = write_xml(tmp_path, [[roi(square(10, 20, left=5), -95)]])
    np.testing.assert_array_equal(read_lidc(path, GRID, "image", 1), boxes((2, slice(11, 20), slice(6, 15))))


def test_corners_alone_give_the_same_as_the_whole_chain(tmp_path):
    corners = [(10, 5), (10, 15), (20, 15), (20, 5)]
    path = write_xml(tmp_path, [[roi(corners, -95)]])
    np.testing.assert_array_equal(read_lidc(path, GRID, "image", 1), boxes((2, slice(11, 20), slice(6, 15))))


def test_readers_must_agree_but_not_on_what_is_one_nodule(tmp_path):
    left, right, both = square(10, 16, left=10), square(10, 16, left=20), [(10, 10), (10, 26), (16, 26), (16, 10)]
    readers = [[[roi(left, -95)], [roi(right, -95)]], [[roi(both, -95), roi(both, -92.5)]], [[roi(left, -95)]], []]
    path = write_xml(tmp_path, *readers)
    rows, first, second = slice(11, 16), slice(11, 16), slice(21, 26)
    expected = {
        1: boxes((2, rows, slice(11, 26)), (3, rows, slice(11, 26))),
        2: boxes((2, rows, first), (2, rows, second)),
        3: boxes((2, rows, first)),
        4: boxes(),
    }
    for min_readers, mask in expected.items():
        np.testing.assert_array_equal(read_lidc(path, GRID, "image", min_readers), mask)
    assert "has 4 readers, fewer than the 5 that must agree" in complaint(path, min_readers=5)


def test_a_hole_is_cut_with_its_outline_and_from_its_own_nodule_alone(tmp_path):
    hole, outer = roi(square(15, 20), -95, "FALSE"), roi(square(10, 25), -95)
    expected = boxes((2, slice(11, 25), slice(11, 25)))
    expected[2, 15:21, 15:21] = False
    path = write_xml(tmp_path, [[hole, outer]])
    np.testing.assert_array_equal(read_lidc(path, GRID, "image", 1), expected)
    other = [roi(square(16, 19), -95)]
    expected[2, 17:19, 17:19] = True
    path = write_xml(tmp_path, [[hole, outer], other])
    np.testing.assert_array_equal(read_lidc(path, GRID, "image", 1), expected)


def test_points_are_small_nodules_if_wanted(tmp_path):
    path = write_xml(tmp_path, [[roi([(12, 30)], -95)], [roi(square(20, 25), -95), roi([(22, 22)], -92.5)]], [])
    without = read_lidc(path, GRID, "image", 1)
    np.testing.assert_array_equal(without, boxes((2, slice(21, 25), slice(21, 25))))
    ball = read_lidc(path, GRID, "image", 1, "sphere") & ~without
    distances = np.linalg.norm(GRID.points_xyz_mm(np.argwhere(ball)) - GRID.points_xyz_mm([[2, 12, 30]]), axis=1)
    assert ball[2, 12, 30] and len(distances) > 10 and distances.max() <= 1.5
    assert not read_lidc(path, GRID, "image", 2, "sphere").any()


@pytest.mark.parametrize(
    ("position", "columns_xyz", "rows_xyz"),
    [
        ("head first, on the back", (1, 0, 0), (0, 1, 0)),
        ("head first, on the front", (-1, 0, 0), (0, -1, 0)),
        ("feet first, on the back", (-1, 0, 0), (0, 1, 0)),
        ("turned by 90°", (0, 1, 0), (-1, 0, 0)),
    ],
)
def test_outlines_of_a_dicom_scan_lie_on_its_own_rows_and_columns(tmp_path, position, columns_xyz, rows_xyz):
    """The archive's files name pixels of the images, whatever the position of the patient."""
    axes_xyz = np.array([columns_xyz, rows_xyz, np.cross(columns_xyz, rows_xyz)], float).T
    affine = np.eye(4)
    affine[:3, :3] = axes_xyz * (0.7, 0.7, 2.5)
    turned = Grid.from_affine(affine, GRID.shape_zyx)
    z_mm = turned.points_xyz_mm(np.array([[3, 0, 0]]))[0, 2]
    path = write_xml(tmp_path, [[roi(square(10, 20, left=5), z_mm)], [roi([(30, 40)], z_mm)]])
    mask = read_lidc(path, turned, "image", 1, "sphere", True)
    expected = np.zeros(GRID.shape_zyx, bool)
    expected[3, 11:20, 6:15] = True
    np.testing.assert_array_equal(mask[:, :28], expected[:, :28])
    np.testing.assert_allclose(np.argwhere(mask[:, 28:]).mean(axis=0), (3, 2, 40), atol=1e-6)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_order_of_the_images_axes_gives_the_same_place(tmp_path, order, flips):
    path = write_xml(
        tmp_path, [[roi(square(10, 20, left=5), -95), roi(square(12, 18, left=7), -97.5)], [roi([(30, 40)], -90)]]
    )
    affine, shape_xyz = GRID.affine[:, [*order, 3]].copy(), np.array(GRID.shape_zyx[::-1])[list(order)]
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (shape_xyz[axis] - 1)
        affine[:3, axis] *= -1
    turned = Grid.from_affine(affine, tuple(shape_xyz[::-1].tolist()))
    expected = read_lidc(path, GRID, "image", 1, "sphere")
    mask = read_lidc(path, turned, "image", 1, "sphere")
    np.testing.assert_array_equal(orient(Volume(mask, turned)).voxels_zyx, expected)
    assert expected.any()


def test_outlines_between_slices_go_to_the_nearest(tmp_path):
    path = write_xml(tmp_path, [[roi(square(10, 20), -93.9)]])
    assert np.flatnonzero(read_lidc(path, GRID, "image", 1).any(axis=(1, 2))).tolist() == [2]


def test_outlines_beyond_a_part_of_the_scan_are_left_out_and_told(tmp_path):
    path = write_xml(tmp_path, [[roi(square(10, 20), z) for z in (-90, -87.5, -85)], [roi(square(10, 20), -80)]])
    found = read_structure(path, GRID, "image", 1)
    assert np.flatnonzero(found.mask.any(axis=(1, 2))).tolist() == [4, 5]
    assert found.facts == {"readers": 1, "outlines": 4, "beyond_scan": 2}
    assert found.warnings == ("2 of 4 outlines lie on slices that the scan does not have",)


def test_the_outlines_of_another_scan_are_refused(tmp_path):
    path = write_xml(tmp_path, [[roi(square(10, 20), z) for z in (-87.5, -85, -82.5)]])
    text = complaint(path)
    assert "2 of its 3 outlines lie outside; they span z -87.5…-82.5 mm, the image z -100.0…-87.5 mm" in text
    path = write_xml(tmp_path, [[roi(square(30, 45, left=10), -95)]])
    assert "its outlines reach row 45 and column 25, the image has 40 rows and 50 columns" in complaint(path)


def test_an_oblique_image_is_refused(tmp_path):
    path = write_xml(tmp_path, [[roi(square(10, 20), -95)]])
    affine = GRID.affine.copy()
    affine[1, 2] = 0.3
    assert "image.nii.gz is oblique or tilted" in complaint(path, Grid.from_affine(affine, GRID.shape_zyx))


def test_a_scan_without_nodules_is_an_empty_mask(tmp_path):
    assert not read_lidc(write_xml(tmp_path, [], [], [], []), GRID, "image").any()


def test_files_of_another_kind_are_refused(tmp_path):
    assert "annotates a chest X-ray, not a CT" in complaint(write_xml(tmp_path, root="IdriReadMessage"))
    assert "its first element is not LidcReadMessage" in complaint(write_xml(tmp_path, root="html"))
    assert "does not exist" in complaint(tmp_path / "missing.xml")
    path = write_xml(tmp_path, [[roi(square(10, 20), -95)]])
    path.write_text(path.read_text()[:-80])
    assert "is not XML, or it is cut or damaged" in complaint(path)
    assert "is not XML" in complaint(write_xml(tmp_path, start='<?xml version="1.0" encoding="klingon"?>'))
    path.write_bytes(b" " * 20_000_001)
    assert "is larger than 20 MB" in complaint(path)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("<xCoord>10</xCoord>", "<xCoord>ten</xCoord>"),
        ("<xCoord>10</xCoord>", ""),
        ("<xCoord>10</xCoord>", f"<xCoord>{'9' * 30}</xCoord>"),
        ("-95.000000 ", "nan"),
        (">TRUE<", ">PERHAPS<"),
    ],
)
def test_damaged_outlines_are_told(tmp_path, good, bad):
    path = write_xml(tmp_path, [[roi(square(10, 20), -95)]])
    path.write_text(path.read_text().replace(good, bad, 1))
    assert "is damaged: an outline without its slice" in complaint(path)


def test_entities_are_refused_before_they_expand(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    assert "declares a DTD" in complaint(write_xml(tmp_path, [], start=bomb))
    path = write_xml(tmp_path, [], start=f'<?xml version="1.0" encoding="utf-16"?>{bomb}')
    path.write_bytes(path.read_text().encode("utf-16"))
    assert "declares a DTD or is not in UTF-8" in complaint(path)


@pytest.mark.realdata
def test_a_real_nodule_lies_where_another_program_puts_it():
    grid = read_scan(real_data("lidc-dicom/LIDC-IDRI-0001")).volume.grid
    mask = read_lidc(real_data("lidc-dicom/LIDC-IDRI-0001.xml"), grid, "image")
    reference = read_nifti(real_data("chest-nifti/lidc-0001/label.nii.gz"))
    there = reference.grid.points_xyz_mm(np.argwhere(reference.voxels_zyx))
    here = grid.points_xyz_mm(np.argwhere(mask))
    np.testing.assert_allclose(here.mean(axis=0), there.mean(axis=0), atol=0.2)
    # The other program includes the outlines: one pixel of 0.7 mm around the nodule, within the resampling to 2 mm.
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=bool)
    for ours, share in ((mask, (0.8, 0.9)), (ndimage.binary_dilation(mask, cross), (0.93, 1.07))):
        volume = ours.sum() * grid.voxel_volume_mm3
        assert share[0] < volume / (len(there) * reference.grid.voxel_volume_mm3) < share[1]
    moved = resample_labels(Volume(mask.astype(np.uint8), grid), reference.grid, 1).voxels_zyx > 0
    assert (moved & (reference.voxels_zyx > 0)).sum() == moved.sum()
