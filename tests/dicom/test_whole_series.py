"""Series stay complete: rounding does not split them, omitted images are reported, acquisitions are not mixed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ctseg.dicom.series import choose_stack
from ctseg.dicom.slice_spacing import gaps
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.scans.read_scan import read_scan
from dicom_files import INTERCEPT, body, ct_slice, write

AXIAL = np.eye(3)
COUNT = 12  # slices


def grid_of(axes=AXIAL, count=COUNT, shape_yx=(16, 20), spacing=(0.7, 0.7, 2.0), origin=(-9.0, 4.0, 30.0)) -> Grid:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes @ np.diag(spacing), origin
    return Grid.from_affine(affine, (count, *shape_yx))


def put(folder: Path, hu_zyx: np.ndarray, grid: Grid, name="a", axes_of=None, places=None, **elements) -> None:
    """Write slices of HU [z, y, x]; `axes_of(k)` is the orientation matrix of slice k, `places` the slices to write."""
    for k in places if places is not None else range(len(hu_zyx)):
        more = dict(elements)
        if axes_of:
            more["ImageOrientationPatient"] = [f"{value:.8f}" for value in np.asarray(axes_of(k))[:, :2].T.ravel()]
        write(ct_slice((hu_zyx[k] - INTERCEPT).astype(np.uint16), grid, k, **more), folder / f"{name}{k:02}.dcm")


def warnings_of(folder: Path) -> list[str]:
    return read_scan(folder).facts["warnings"]


@settings(max_examples=25, deadline=None)
@given(
    base=st.tuples(*[st.floats(-25, 25)] * 3),
    noise_rad=st.floats(0, 2e-4),
    digits=st.integers(3, 7),
    columns=st.sampled_from([20, 200, 500]),
    seed=st.integers(0, 2**16),
)
def test_orientations_that_differ_by_rounding_are_one_volume(tmp_path_factory, base, noise_rad, digits, columns, seed):
    """Each slice is slightly rotated about each axis, and its cosines are rounded."""
    folder, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(seed)
    axes = Rotation.from_euler("xyz", base, degrees=True).as_matrix()
    grid = grid_of(axes, shape_yx=(8, columns))
    hu = body(grid.shape_zyx, seed)

    def axes_of(_: int) -> np.ndarray:
        # 0.0002 rad are a tenth of a millimetre at the far corner of 500 mm.
        return (Rotation.from_rotvec(rng.normal(0, noise_rad, 3)).as_matrix() @ axes).round(digits)

    put(folder, hu, grid, axes_of=axes_of)
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, hu)
    assert scan.facts["spacing_xyz_mm"] == pytest.approx(grid.spacing_xyz_mm, abs=2e-3)
    off_mm = np.abs(scan.volume.grid.corners_xyz_mm() - grid.corners_xyz_mm()).max()
    assert off_mm < 0.75 * grid.spacing_xyz_mm[0] + 0.1
    assert scan.facts["warnings"] == []


@settings(max_examples=25, deadline=None)
@given(angle_deg=st.floats(6, 90), places=st.sets(st.integers(0, COUNT - 1), min_size=1, max_size=COUNT - 2))
def test_slices_that_are_really_turned_are_never_lost_in_silence(tmp_path_factory, angle_deg, places):
    """Slices rotated in their plane are reported with their number, or cause an error, never as missing."""
    folder = tmp_path_factory.mktemp("turned")
    hu = body((COUNT, 16, 20))
    turned = Rotation.from_euler("z", angle_deg, degrees=True).as_matrix()
    put(folder, hu, grid_of(), axes_of=lambda k: turned if k in places else AXIAL)
    try:
        scan = read_scan(folder)
    except InputError as error:
        assert "missing" not in str(error)
        assert "turned by" in str(error)
        return
    left = COUNT - len(scan.volume.voxels_zyx)
    assert left in (len(places), COUNT - len(places))
    assert any(f"{left} image" in text and "turned by" in text for text in scan.facts["warnings"])
    assert not any("another series" in line or "equal to" in line for line in map(str, scan.facts["series"]["others"]))


ACQUISITIONS = st.tuples(
    st.integers(2, 4),
    st.floats(0.03, 0.47),
    st.sampled_from(["AcquisitionNumber", "TemporalPositionIdentifier", "ConvolutionKernel"]),
)


@settings(max_examples=25, deadline=None)
@given(ACQUISITIONS, st.floats(0.6, 5.0), st.sampled_from(["refuse", "resample"]), st.booleans())
def test_near_coincident_acquisitions_are_told_apart_and_never_interpolated(
    tmp_path_factory, acquisitions, step_mm, irregular, named
):
    """Acquisitions of one range, shifted by a part of the slice distance: the first is read, or all are rejected."""
    count, share, element = acquisitions
    assume(share * (count - 1) < 0.9 and share * step_mm > 0.02)
    steps_mm = np.diff(np.sort([(k + number * share) * step_mm for k in range(COUNT) for number in range(count)]))
    assume(named or gaps(steps_mm))  # without acquisition numbers, evenly spaced slices are one scan
    folder = tmp_path_factory.mktemp("acquisitions")
    scans = [body((COUNT, 16, 20), seed) for seed in range(count)]
    for number, hu in enumerate(scans):
        origin = (-9.0, 4.0, 30.0 + number * share * step_mm)
        more = {element: [f"B{number}"] if element == "ConvolutionKernel" else number + 1} if named else {}
        put(folder, hu, grid_of(origin=origin, spacing=(0.7, 0.7, step_mm)), f"{number}_", **more)
    if named:
        scan = read_scan(folder, irregular=irregular)
        np.testing.assert_array_equal(scan.volume.voxels_zyx, scans[0])
        assert len(scan.facts["warnings"]) == count - 1
        assert all(f"{COUNT} images of the series left out" in text for text in scan.facts["warnings"])
    else:
        with pytest.raises(InputError, match="nothing in the files tells them apart"):
            read_scan(folder, irregular=irregular)


def test_acquisitions_half_a_slice_apart_are_not_interleaved(tmp_path):
    scans = [body((COUNT, 16, 20), seed) for seed in range(2)]
    for number, hu in enumerate(scans):
        put(tmp_path, hu, grid_of(origin=(0, 0, number * 1.0)), f"{number}_", AcquisitionNumber=number)
    np.testing.assert_array_equal(read_scan(tmp_path).volume.voxels_zyx, scans[0])
    assert warnings_of(tmp_path) == ["12 images of the series left out: acquisition 2 of 2"]


def test_copies_at_rounded_positions_are_dropped(tmp_path):
    hu, grid = body((COUNT, 16, 20)), grid_of()
    put(tmp_path, hu, grid)
    for k in (2, 7):
        stored = (hu[k] - INTERCEPT).astype(np.uint16)
        position = (grid.points_xyz_mm(np.array([[k, 0, 0]]))[0] + [0, 0, 0.04]).round(6).tolist()
        write(ct_slice(stored, grid, k, ImagePositionPatient=position), tmp_path / f"copy{k}")
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, hu)
    assert scan.facts["duplicates_dropped"] == 2


ODD = {
    "other size": ({"Rows": 8, "Columns": 8}, "another size, 8 x 8 pixels of 0.7 x 0.7 mm"),
    "other pixels": ({"PixelSpacing": [0.5, 0.5]}, "another size, 20 x 16 pixels of 0.5 x 0.5 mm"),
    "no position": ({"ImagePositionPatient": None}, "incomplete header, as without a position"),
    "half a position": ({"ImagePositionPatient": [1, 2]}, "incomplete header, as without a position"),
    "no orientation": ({"ImageOrientationPatient": None}, "incomplete header, as without a position"),
    "another view": ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "turned by 90° against those"),
}


def odd_image(folder: Path, name: str) -> str:
    """Write an image that is not a slice of the scan into its folder; return the expected words of the warning."""
    if name == "0 bytes":
        (folder / "odd").write_bytes(b"")
        return "a file of 0 bytes"
    elements, words = ODD[name]
    write(ct_slice(np.zeros((16, 20), np.uint16), grid_of(), 3, **elements), folder / "odd.dcm")
    return words


@pytest.mark.parametrize("irregular", ["refuse", "resample"])
@pytest.mark.parametrize("name", [*ODD, "0 bytes"])
def test_an_odd_image_is_left_out_with_a_word_where_the_rest_is_whole(tmp_path, name, irregular):
    hu = body((COUNT, 16, 20))
    put(tmp_path, hu, grid_of())
    words = odd_image(tmp_path, name)
    scan = read_scan(tmp_path, irregular=irregular)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, hu)
    assert len(scan.facts["warnings"]) == 1
    assert "1 image of the series left out" in scan.facts["warnings"][0]
    assert words in scan.facts["warnings"][0]


@pytest.mark.parametrize("irregular", ["refuse", "resample"])
@pytest.mark.parametrize("name", [*ODD, "0 bytes"])
def test_an_odd_image_in_the_place_of_a_slice_is_refused_by_name(tmp_path, name, irregular):
    put(tmp_path, body((COUNT, 16, 20)), grid_of(), places=[k for k in range(COUNT) if k != 3])
    odd_image(tmp_path, name)
    with pytest.raises(InputError, match=r"not all images .* can be used.*odd") as error:
        read_scan(tmp_path, irregular=irregular)
    assert "missing" not in str(error.value)


def test_many_empty_files_are_a_copy_that_failed(tmp_path):
    put(tmp_path, body((COUNT, 16, 20)), grid_of())
    for number in range(3):
        (tmp_path / f"x{number}.dcm").write_bytes(b"")
    with pytest.raises(InputError, match=r"x0\.dcm is empty, as 3 of the files"):
        read_scan(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=f"found {COUNT + 3} files of 0 bytes"):
        read_scan(tmp_path)


def test_distances_that_differ_by_little_are_told_with_what_differs(tmp_path):
    """Each distance is slightly longer than the one before, so the deviations add up."""
    hu, grid = body((60, 16, 20)), grid_of(count=60, spacing=(0.7, 0.7, 1.0))
    for k, plane in enumerate(hu):
        position = [0.0, 0.0, k + 0.00012 * k**2]
        write(
            ct_slice((plane - INTERCEPT).astype(np.uint16), grid, k, ImagePositionPatient=position), tmp_path / f"{k}"
        )
    with pytest.raises(InputError, match=r"go from 1\.0001 to 1\.0140 mm, .* up to 0\.068 mm .* 0\.06 mm are allowed"):
        read_scan(tmp_path)


@pytest.mark.parametrize("name", [".keep", "notes.txt", "DICOMDIR.xml"])
def test_empty_files_that_are_no_slices_are_nothing_to_tell(tmp_path, name):
    put(tmp_path, body((COUNT, 16, 20)), grid_of())
    (tmp_path / name).write_bytes(b"")
    assert warnings_of(tmp_path) == []


CORONAL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
SAGITTAL = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
DERIVED = ["DERIVED", "SECONDARY", "REFORMATTED"]


@pytest.mark.parametrize(("axes", "view"), [(CORONAL, "coronal"), (SAGITTAL, "sagittal")])
def test_an_axial_scan_is_taken_before_a_reformat_that_calls_itself_original(tmp_path, axes, view):
    """A strip of 90 mm, and an axial scan of 192 mm with the image type DERIVED."""
    put(tmp_path / "strip", body((31, 16, 20)), grid_of(axes, 31, spacing=(1, 1, 3)), SeriesInstanceUID="1.2.3.1")
    axial = grid_of(count=65, spacing=(1, 1, 3))
    put(tmp_path / "axial", body((65, 16, 20)), axial, SeriesInstanceUID="1.2.3.2", ImageType=DERIVED)
    scan = read_scan(tmp_path)
    assert scan.facts["size_xyz"] == [20, 16, 65]
    assert scan.facts["warnings"] == []
    assert [other["reason"] for other in scan.facts["series"]["others"]] == ["not axial"]
    assert warnings_of(tmp_path / "strip") == [
        f"the slices are not axial but {view}: make sure that this is the scan, not a reformat"
    ]


def test_a_few_slices_do_not_win_by_being_original(tmp_path):
    """The few slices for bolus tracking are ORIGINAL; the scan may be DERIVED."""
    put(tmp_path / "few", body((3, 16, 20)), grid_of(count=3), SeriesInstanceUID="1.2.3.1")
    put(tmp_path / "scan", body((65, 16, 20)), grid_of(count=65), SeriesInstanceUID="1.2.3.2", ImageType=DERIVED)
    choice = choose_stack(tmp_path)
    assert (choice.stack.series_uid, [reason for _, reason in choice.others]) == ("1.2.3.2", ["shorter"])
