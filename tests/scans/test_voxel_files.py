"""The file with the voxels of a header, which the workflow needs to see that the scan changed."""

import pytest

from ctseg.scans.voxel_files import has_voxel_file, voxel_file
from dicom_files import body
from studies import TINY, merged, planned_jobs, snakemake
from text_volumes import DIRECTIONS, LPS, write_meta_image, write_nrrd

SIZE = "ElementSpacing = 2 2 5"


def test_a_meta_image_names_the_file_of_its_voxels(tmp_path):
    path = write_meta_image(tmp_path / "a.mhd", body((4, 5, 6)), SIZE)
    assert voxel_file(str(path)) == str(tmp_path / "a.raw")
    (tmp_path / "far").mkdir()
    moved = (tmp_path / "a.raw").rename(tmp_path / "far" / "b c.zraw")
    path.write_text(path.read_text().replace("a.raw", "far/b c.zraw"))
    assert voxel_file(str(path)) == str(moved)
    path.write_text(path.read_text().replace("far/b c.zraw", str(moved)))
    assert voxel_file(str(path)) == str(moved)


@pytest.mark.parametrize("field", ["data file", "datafile"])
def test_a_nrrd_header_does_so_too(tmp_path, field):
    (tmp_path / "a.raw").touch()
    path = write_nrrd(tmp_path / "a.nhdr", body((4, 5, 6)), LPS, DIRECTIONS, f"{field}: a.raw")
    assert voxel_file(str(path)) == str(tmp_path / "a.raw")


@pytest.mark.parametrize("place", ["LOCAL", "LIST", "gone.raw", "slice%03d.raw 1 4 1", ""])
def test_a_header_may_name_no_single_file(tmp_path, place):
    path = write_meta_image(tmp_path / "a.mhd", body((4, 5, 6)), SIZE)
    path.write_text(path.read_text().replace("a.raw", place))
    assert voxel_file(str(path)) is None


def test_other_files_have_their_voxels_in_themselves(tmp_path):
    assert voxel_file(str(write_meta_image(tmp_path / "a.mha", body((4, 5, 6)), SIZE))) is None
    assert voxel_file(str(tmp_path / "gone.mhd")) is None
    (tmp_path / "empty.mhd").touch()
    assert voxel_file(str(tmp_path / "empty.mhd")) is None
    names = ["a.mhd", "b.NHDR", "c.mha", "d.nii.gz", "e.nrrd", "folder"]
    assert [has_voxel_file(name) for name in names] == [True, True, False, False, False, False]


@pytest.mark.timeout(120)
def test_a_scan_or_label_whose_voxels_changed_is_converted_again(tmp_path):
    for number in range(3):
        for kind in ("ct", "label"):
            path = tmp_path / f"lung_{number}_{kind}.mhd"
            write_meta_image(path, body((12, 16, 16)) if kind == "ct" else body((12, 16, 16)) > 0, SIZE)
    cases = {"source": "folder", "image": "{case}_ct.mhd", "label": "{case}_label.mhd"}
    study = merged(TINY, {"study": "s", "cases": cases, "target": {"region": "body"}})
    wanted = ("--", *(f"results/s/{kind}/lung_{number}.nii.gz" for kind in ("images", "labels") for number in (1, 2)))
    run = snakemake(tmp_path, study, *wanted)
    assert run.returncode == 0, run.stdout
    assert planned_jobs(tmp_path, study, *wanted) == {}
    for kind, jobs in (("label", {"convert_label": 1}), ("ct", {"convert_image": 1, "convert_label": 1})):
        voxels = tmp_path / f"lung_1_{kind}.raw"
        voxels.write_bytes(voxels.read_bytes()[::-1])
        assert planned_jobs(tmp_path, study, *wanted) == jobs
