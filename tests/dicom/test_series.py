"""Choice of the scan among the stacks of a folder, and the reasons against the others."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack
from ctseg.errors import InputError, ScanError
from ctseg.scans.read_scan import read_scan
from places import SCRIPTS
from small_series import CORONAL, add

LIST_SERIES = SCRIPTS / "list_series.py"


def reasons(folder: Path, **arguments) -> dict[str, str]:
    return {stack.series_uid: reason for stack, reason in choose_stack(folder, **arguments).others}


@pytest.mark.parametrize(
    "other, reason",
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"], "n_slices": 40}, "not an original image"),
        ({"ImageType": ["ORIGINAL", "SECONDARY", "AXIAL"], "n_slices": 40}, "a secondary image"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MPR"], "n_slices": 40}, "a reformat"),
        ({"direction": CORONAL, "n_slices": 40}, "not axial"),
        ({"n_slices": 5, "distance_mm": 1.0}, "shorter"),
        ({"n_slices": 5, "distance_mm": 4.5}, "thicker slices"),
        ({"Modality": "MR", "n_slices": 40}, "not CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "n_slices": 40}, "a localizer"),
        ({"SamplesPerPixel": 3, "n_slices": 40}, "a picture in colour"),
        ({"n_slices": 1}, "a single image"),
        ({}, "equal to the chosen one"),
    ],
)
def test_the_reason_against_each_other_series_is_told(tmp_path, other, reason):
    add(tmp_path, "1.1")
    add(tmp_path, "1.22", **other)
    choice = choose_stack(tmp_path)
    assert choice.stack.series_uid == "1.1"
    assert reasons(tmp_path) == {"1.22": reason}


def test_the_series_that_is_asked_for_wins(tmp_path):
    add(tmp_path, "1.2.840.1")
    wanted = add(tmp_path, "1.2.840.22", ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])
    volume, facts = read_dicom(tmp_path, "1.2.840.22")
    np.testing.assert_array_equal(volume.voxels_zyx, wanted)
    assert [other["reason"] for other in facts["series"]["others"]] == ["another series is requested"]
    with pytest.raises(InputError, match="series_uid is not among the 2 CT series") as error:
        read_dicom(tmp_path, "1.2.840.99")
    assert "1.2.840" not in str(error.value)


def test_series_of_several_patients_are_refused_unless_one_is_asked_for(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="Zyx-2 ")
    add(tmp_path, "1.333", PatientID="Zyx-2")
    with pytest.raises(InputError, match="CT series of 2 patients") as error:
        choose_stack(tmp_path)
    assert "Zyx" not in str(error.value)
    assert choose_stack(tmp_path, "1.22").stack.series_uid == "1.22"
    assert choose_stack(tmp_path / "1.1").stack.series_uid == "1.1"


def test_a_series_without_a_patient_is_no_other_patient(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="")
    assert choose_stack(tmp_path).stack.series_uid == "1.1"


def test_all_series_of_a_folder_are_listed(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    add(tmp_path, "1.22", PatientID="Zyx-1", n_slices=5)
    run = subprocess.run([sys.executable, LIST_SERIES, tmp_path], capture_output=True, text=True, check=True)
    header, *rows = (line.split() for line in run.stdout.splitlines())
    assert [header[0], header[2], *header[-2:]] == ["patient", "images", "series_uid", "use"]
    told = [[row[0], row[2], *row[-2:]] for row in rows]
    assert told == [["1", "10", "1.1", "CHOSEN"], ["1", "5", "1.22", "shorter"]]
    add(tmp_path, "1.333", PatientID="Zyx-2")
    run = subprocess.run([sys.executable, LIST_SERIES, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert [line.split()[0] for line in run.stdout.splitlines()[1:]] == ["1", "1", "2"]
    assert "CT series of 2 patients" in run.stderr
    assert "Zyx" not in run.stdout + run.stderr


def listed(folder, *arguments):
    command = [sys.executable, LIST_SERIES, folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_list_tells_a_refusal_and_warnings_as_the_reader_does(tmp_path):
    add(tmp_path, "1.1", n_slices=20)
    next(path for path in sorted(tmp_path.rglob("*"))[4:] if path.is_file()).unlink()
    with pytest.raises(ScanError) as refused:
        read_scan(tmp_path)
    run = listed(tmp_path)
    assert run.returncode == 1
    assert run.stdout.splitlines()[1].endswith("CHOSEN, BUT REFUSED")
    assert run.stderr.strip() == f"ctseg: the chosen series is refused: {refused.value}"


def test_the_list_tells_the_warnings_of_the_chosen_series(tmp_path):
    add(tmp_path, "1.1", LossyImageCompression="01")
    run = listed(tmp_path)
    assert run.returncode == 0, run.stderr
    assert "compressed with loss" in run.stderr


def test_a_preferred_kernel_wins_over_thin_slices(tmp_path):
    add(tmp_path, "1.1", n_slices=20, distance_mm=1.0, ConvolutionKernel=["B70f"])
    add(tmp_path, "1.22", n_slices=10, ConvolutionKernel=["B30f"])
    assert choose_stack(tmp_path).stack.series_uid == "1.1"
    assert choose_stack(tmp_path, kernels=["STANDARD", "b3*"]).stack.series_uid == "1.22"
    assert reasons(tmp_path, kernels=["b3*"]) == {"1.1": "not a preferred kernel"}


def test_a_faulty_series_stands_in_the_way_of_no_other(tmp_path):
    hu = add(tmp_path, "1.1")
    add(tmp_path, "1.22", n_slices=30, ImagePositionPatient=None)
    volume, facts = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.voxels_zyx, hu)
    assert [other["reason"] for other in facts["series"]["others"]] == ["a damaged or incomplete header"]


def test_a_single_image_of_another_view_among_few_slices_is_left_out(tmp_path):
    hu = add(tmp_path / "axial", "1.1", n_slices=8)
    add(tmp_path / "coronal", "1.1", n_slices=1, direction=CORONAL, ImagePositionPatient=[-9.0, 4.0, 37.0])
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, hu)
    assert "turned by" in " ".join(scan.facts["warnings"])
