"""Balls from annotations.csv of LUNA16 on the grids of its scans."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from archive_trees import make_files
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.labels.luna16_csv import read_luna16
from ctseg.lungs.given import read_lungs
from ctseg.scans.read_scan import read_scan
from ctseg.study.archives import LUNG_VALUES
from ctseg.study.cases import find_cases
from places import ROOT

HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
FLIPPED = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((30, 40, 50), (0.8, 0.8, 1.25), (20.0, 30.0, -200.0), FLIPPED)  # x −19.2…20, y −1.2…30, z −200…−163.75
SERIES = "1.2.840.1"


def write_csv(folder: Path, text: str, header: str = HEADER) -> Path:
    make_files(folder, "annotations.csv", text=header + text)
    return folder / "annotations.csv"


def complaint(path: Path, series_uid: str | None = SERIES) -> str:
    with pytest.raises(InputError) as caught:
        read_luna16(path, GRID, "image.nii.gz", series_uid)
    assert SERIES not in str(caught.value)
    return str(caught.value)


def test_nodules_are_balls_at_their_place(tmp_path):
    path = write_csv(tmp_path, f"{SERIES},0.5,12.0,-180,8.0\n9.9,1,2,3,4\n{SERIES},-10.2,20.0,-175.5,6\n\n")
    mask = read_luna16(path, GRID, "image", SERIES)
    points = GRID.points_xyz_mm(np.argwhere(mask))
    first = points[:, 0] > -5
    for part, centre, diameter in ((first, (0.5, 12, -180), 8), (~first, (-10.2, 20, -175.5), 6)):
        np.testing.assert_allclose(points[part].mean(axis=0), centre, atol=0.25)
        assert part.sum() * GRID.voxel_volume_mm3 == pytest.approx(np.pi / 6 * diameter**3, rel=0.1)
        assert np.linalg.norm(points[part] - centre, axis=1).max() <= diameter / 2


def test_a_tiny_nodule_marks_one_voxel_and_an_unnamed_series_none(tmp_path):
    path = write_csv(tmp_path, f"{SERIES},0.1,12.1,-180.2,0.2\n")
    assert read_luna16(path, GRID, "image", SERIES).sum() == 1
    assert not read_luna16(path, GRID, "image", "1.2.840.2").any()


def test_a_nodule_outside_of_the_image_is_refused_with_both_places(tmp_path):
    text = complaint(write_csv(tmp_path, f"{SERIES},0.5,12.0,-240.04,8.0\n"))
    assert "line 2: the nodule at x 0.5, y 12.0, z -240.0 mm lies outside of image.nii.gz" in text
    assert "x -19.2…20.0, y -1.2…30.0, z -200.0…-163.8 mm" in text


@pytest.mark.parametrize(
    "row",
    [
        "1.2,1,2,3",
        "1.2,1,2,3,4,5",
        "1.2,1,2,x,4",
        "1.2,1,2,nan,4",
        "1.2,1,2,3,0",
        "1.2,1,2,3,-4",
        "1.2,1,2,3,4000",
        "1.2",
    ],
)
def test_a_damaged_line_is_named_whichever_series_it_is(tmp_path, row):
    path = write_csv(tmp_path, f"{SERIES},0.5,12.0,-180,8.0\n\n{row}\n")
    assert f"{path}, line 4: should be a series" in complaint(path)


def test_another_file_is_refused(tmp_path):
    assert "is not an annotations.csv of LUNA16" in complaint(
        write_csv(tmp_path, "", "seriesuid,coordX,coordY,coordZ,class\n")
    )
    assert "is not an annotations.csv of LUNA16" in complaint(write_csv(tmp_path, "", ""))
    assert "does not exist" in complaint(tmp_path / "missing.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "not a CSV file" in complaint(tmp_path / "bytes.csv")
    assert "has no series_uid" in complaint(write_csv(tmp_path, ""), None)


def test_a_whole_case_is_read_from_the_archives_layout(tmp_path):
    folder = tmp_path / "data"
    write_csv(folder, f"{SERIES},0.5,12.0,-180,8.0\n")
    hu = np.random.default_rng(1).integers(-1000, 200, GRID.shape_zyx).astype(np.int16)
    parts = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    parts[5:20, 5:30, 5:20], parts[5:20, 5:30, 30:45], parts[5:20, 15:20, 22:28] = 3, 4, 5
    for name, voxels in (("subset0", hu), ("seg-lungs-LUNA16", parts)):
        (folder / name).mkdir()
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(GRID.spacing_xyz_mm)
        image.SetOrigin(GRID.origin_xyz_mm)
        image.SetDirection([value for row in GRID.direction for value in row])
        sitk.WriteImage(image, str(folder / name / f"{SERIES}.mhd"))
    config = {"source": "luna16", "folder": "data", "exclude": [], "corrections": None, "names": "auto"}
    [case] = find_cases(config, tmp_path, ROOT / "rules/schemas/cases.schema.yaml", "made", {"nodule": 1})
    image = read_scan(tmp_path / case.image).volume
    np.testing.assert_array_equal(image.voxels_zyx, hu)
    nodules = read_luna16(tmp_path / case.label, image.grid, "image", case.series_uid)
    np.testing.assert_array_equal(nodules, read_luna16(tmp_path / case.label, GRID, "image", SERIES))
    assert nodules.any()
    lungs = read_lungs(tmp_path / case.lungs, image.grid, "image", LUNG_VALUES["luna16"])
    np.testing.assert_array_equal(lungs.voxels_zyx, np.isin(parts, [3, 4]))
