"""Inspection of a folder of DICOM files: a pattern if one matches, else a table."""

import numpy as np
import pytest

from ctseg.errors import ConfigError
from ctseg.geometry.volume import Grid
from ctseg.study.look_at_folder import look_at
from dicom_files import body, write_rtstruct, write_seg, write_series

GRID = Grid((6, 7, 8), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
SQUARE = np.array([[1.0, 1.0, 2.0], [4.0, 1.0, 2.0], [4.0, 4.0, 2.0], [1.0, 4.0, 2.0]])


def patient(folder, number, *structures):
    """Write a series and an RTSTRUCT in separate subfolders."""
    elements = {"SeriesInstanceUID": f"1.2.{number}", "PatientID": f"P{number}"}
    write_series(folder / "CT", body(GRID.shape_zyx), GRID, **elements)
    (folder / "RS").mkdir()
    write_rtstruct(folder / "RS" / "rs.dcm", {name: [SQUARE] for name in structures})


def test_contours_are_found_beside_their_series_with_the_names_of_structures(tmp_path):
    for case in ("p1", "p2"):
        patient(tmp_path / case, case[1:], "BODY", "GTV-1", f"only {case}")
    look = look_at(str(tmp_path), print)
    assert look.cases == {"source": "folder", "image": f"{tmp_path}/{{case}}/CT", "label": f"{tmp_path}/{{case}}/RS"}
    assert (look.scans, look.labelled, look.labels) == (2, 2, {"GTV-1": 1})
    assert any("BODY (2 of 2), GTV-1 (2 of 2), only p1 (1 of 2)" in reason for reason in look.reasons)


def test_a_folder_that_the_pattern_leaves_out_makes_it_a_table(tmp_path):
    patient(tmp_path / "p1", 1, "GTV")
    patient(tmp_path / "p2", 2, "GTV")
    patient(tmp_path / "more" / "p3", 3, "GTV")
    told = []
    look = look_at(str(tmp_path), told.append)
    assert (look.cases, look.scans, look.labelled) == ({"source": "table"}, 3, 3)
    assert told == ["no pattern fits all folders: reading the headers of 21 files"]


def test_contours_among_the_slices_are_found(tmp_path):
    for number in (1, 2):
        elements = {"SeriesInstanceUID": f"1.2.{number}", "PatientID": f"P{number}"}
        grid = Grid((20, 7, 8), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, GRID.direction)
        write_series(tmp_path / f"p{number}", body(grid.shape_zyx), grid, **elements)
        assert len([path for path in (tmp_path / f"p{number}").iterdir() if path.name < "IM2"]) > 3
        write_rtstruct(tmp_path / f"p{number}" / "IM2", {"GTV": [SQUARE]})
    told = []
    look = look_at(str(tmp_path), told.append)
    assert [row["label"] for row in look.rows] == [str(tmp_path / f"p{number}" / "IM2") for number in (1, 2)]
    assert told == ["no label is in a folder of its own: reading the headers of 42 files"]


def test_two_label_files_of_a_patient_make_it_a_table(tmp_path):
    for number in (1, 2):
        patient(tmp_path / f"p{number}", number, "GTV")
        write_seg(tmp_path / f"p{number}" / "RS" / "seg.dcm", {"GTV": body(GRID.shape_zyx) > 0}, GRID)
    look = look_at(str(tmp_path), print)
    assert [row["label"] for row in look.rows] == [str(tmp_path / f"p{number}" / "RS" / "rs.dcm") for number in (1, 2)]
    assert look.labels == {"GTV": 1}


def test_files_that_hold_no_ct_are_nothing(tmp_path):
    write_series(tmp_path / "p1" / "MR", body(GRID.shape_zyx), GRID, Modality="MR")
    with pytest.raises(ConfigError, match="holds neither scans"):
        look_at(str(tmp_path), print)
