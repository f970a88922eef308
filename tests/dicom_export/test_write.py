"""Results as DICOM objects, read back: for every geometry, each voxel keeps its position and side."""

import shutil
import subprocess

import highdicom as hd
import numpy as np
import pydicom
import pytest

from ctseg.dicom.series import choose_stack
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from dicom_files import REFERABLE, body, write_series
from dicom_results import (
    SHAPE,
    expected_on_slice,
    nothing,
    read_back,
    straight,
    written,
)
from real_data import real_data

MODALITIES = {"seg": "SEG", "rtstruct": "RTSTRUCT", "report": "SR"}


def test_patient_and_study_are_those_of_the_source(tmp_path):
    identity = {"PatientName": "Müller^Jörg", "PatientID": "  007", "StudyDate": "19991231", "PatientSex": "unknown"}
    grid = Grid(SHAPE, (1, 1, 2), (0, 0, 0), tuple(map(tuple, np.eye(3).tolist())))
    elements = REFERABLE | identity | {"SpecificCharacterSet": "ISO_IR 100"}
    series = write_series(tmp_path / "ct", body(SHAPE), grid, **elements)
    written(series, tmp_path / "out", names=("肝脏",))
    objects = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in objects] == ["report.dcm", "rtstruct.dcm", "seg.dcm"]
    for path in objects:
        found = pydicom.dcmread(path)
        assert {keyword: str(found[keyword].value) for keyword in identity} == identity
        assert (found.StudyInstanceUID, found.Modality) == (REFERABLE["StudyInstanceUID"], MODALITIES[path.stem])
        assert found.SeriesInstanceUID != "1.2.3"
        assert found.AccessionNumber == ""
    assert pydicom.dcmread(objects[-1]).SegmentSequence[0].SegmentLabel == "肝脏"


def test_a_validator_of_dicom_finds_no_error(results):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("needs dciodvfy, of Debian's dicom3tools")
    for path in sorted(results.folder.iterdir()):
        run = subprocess.run([validator, "-new", path], capture_output=True, text=True, check=False)
        found = (run.stdout + run.stderr).splitlines()
        assert not [line for line in found if line.startswith("Error")], path.name
        assert any(line in ("Segmentation", "RTStructureSet", "ComprehensiveSR") for line in found)


def test_nothing_found_is_an_object_too(tmp_path):
    labels = written(straight(tmp_path / "ct", np.eye(3)), tmp_path / "out", draw=nothing)
    assert not labels.voxels_zyx.any()
    for name in ("seg.dcm", "rtstruct.dcm"):
        assert not read_back(tmp_path / "out" / name, labels.grid).any()


REAL = {
    "sarcoma-dicom/STS_002/CT/image": True,
    "lidc-dicom/LIDC-IDRI-0001": True,
    "dicom-quirks/seg/24x38x3/multiframe": True,
    "dicom-quirks/seg/24x38x3/image": True,
    "dicom-quirks/gantry-tilt-ge": False,
}


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder, tmp_path):
    series = real_data(folder)
    labels = written(series, tmp_path)
    if REAL[folder]:
        for name in ("seg.dcm", "rtstruct.dcm"):
            np.testing.assert_array_equal(read_back(tmp_path / name, labels.grid), labels.voxels_zyx)
    else:
        seg = hd.seg.segread(tmp_path / "seg.dcm")
        for part in choose_stack(series).stack.slices:
            header = pydicom.dcmread(part.path)
            found = seg.get_pixels_by_source_instance([header.SOPInstanceUID], combine_segments=True)[0]
            np.testing.assert_array_equal(found, expected_on_slice(header, labels))


@pytest.mark.slow
@pytest.mark.realdata
def test_a_real_series_without_a_frame_of_reference_is_refused(tmp_path):
    with pytest.raises(InputError, match="lack their FrameOfReferenceUID"):
        written(real_data("dicom-quirks/irregular/gantrytilting/001"), tmp_path / "out")
