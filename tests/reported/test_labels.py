"""Labels from user reports on similar tools: each is read correctly, or rejected with the reason.

Programs outside of the project folder write the input; their README contains the correct results.
"""

import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.labels.read_label import Label, LabelSettings, read_label
from ctseg.scans.read_scan import Scan, read_scan
from real_data import report

GTV_PTV = {"GTV": 1, "PTV": 2}


def converted(image, label, labels, **settings) -> tuple[Scan, Label]:
    """Scan and label, read as in the workflow."""
    scan = read_scan(image, label=label)
    options = LabelSettings(labels, **settings)
    relation = scan.facts.get("label_reference")
    return scan, read_label(label, options, scan.volume.grid, "image.nii.gz", relation=relation)


def refusal(*arguments, **settings) -> str:
    with pytest.raises(InputError) as error:
        converted(*arguments, **settings)
    return str(error.value)


def voxels(label: Label) -> dict[str, int]:
    return {name: found["voxels"] for name, found in label.facts["labels"].items()}


def test_the_series_that_the_label_names_is_taken(tmp_path):
    report("case01_other_series").make(tmp_path)
    folder = tmp_path / "two_series"
    scan, label = converted(folder / "CT", folder / "RS.dcm", {"GTV": 1})
    assert scan.volume.grid.shape_zyx == (40, 48, 48)
    assert scan.volume.grid.spacing_xyz_mm == pytest.approx((1, 1, 2))
    assert voxels(label) == {"GTV": 260}
    assert scan.volume.voxels_zyx[label.voxels_zyx == 1].mean() == pytest.approx(398.5, abs=0.1)
    assert scan.facts["series"]["chosen"]["reason"] == "the label names its series"
    assert [other["reason"] for other in scan.facts["series"]["others"]] == ["the label names another series"]
    assert label.facts["warnings"] == []
    alone = read_scan(folder / "CT")
    assert alone.volume.grid.shape_zyx == (80, 48, 48)  # without the label, the series with thinner slices is chosen


@pytest.mark.parametrize(
    ("folder", "file", "what"),
    [
        ("other_frame", "seg.dcm", "another frame of reference (FrameOfReferenceUID)"),
        ("other_patient", "RS.dcm", "another patient (PatientID) and another frame of reference"),
    ],
)
def test_a_label_of_another_patient_or_frame_of_reference_is_refused(tmp_path, folder, file, what):
    report("case01_other_series").make(tmp_path)
    case = tmp_path / folder / "CT", tmp_path / folder / file, {"GTV": 1}
    text = refusal(*case)
    assert f"was drawn for {what}" in text
    assert "set convert.foreign_label: allow" in text
    _, label = converted(*case, foreign_ok=True)
    assert any("names another frame of reference" in warning for warning in label.facts["warnings"])
    identifiers = ("PATIENT-A", "PATIENT-B", "2.25.", "1.2.826")
    assert not any(word in f"{text} {label.facts}" for word in identifiers)


@pytest.mark.parametrize(
    ("file", "inner", "outer"), [("overlap/RS.dcm", 260, 1762), ("overlap_seg/seg.dcm", 257, 1760)]
)
def test_a_label_that_loses_all_to_another_is_refused_and_the_order_decides(tmp_path, file, inner, outer):
    report("case03_overlap").make(tmp_path)
    case = tmp_path / "CT", tmp_path / file
    _, label = converted(*case, {"PTV": 1, "GTV": 2})
    assert voxels(label) == {"PTV": outer, "GTV": inner}
    assert label.facts["labels"]["PTV"]["lost_to"] == {"GTV": inner}
    [told] = label.facts["warnings"]
    assert told.startswith(f"GTV takes {inner} of the {inner + outer} voxels of PTV")
    for allowed in (False, True):
        text = refusal(*case, GTV_PTV, missing_ok=allowed)
        assert f"GTV ends without a voxel: PTV takes all its {inner} voxels, since the later of two labels" in text
        assert "List GTV after PTV there, or set target.overlap: earlier" in text
    _, label = converted(*case, GTV_PTV, overlap="earlier")
    assert voxels(label) == {"GTV": inner, "PTV": outer}
    assert f"overlap in {inner} voxels, which target.overlap: refuse forbids" in refusal(
        *case, GTV_PTV, overlap="refuse"
    )


@pytest.mark.parametrize(
    ("folder", "why"), [("point", "1 contour is a point or an open line"), ("empty", "it has no closed contour")]
)
def test_a_structure_without_an_area_is_refused_unless_it_may_be_missing(tmp_path, folder, why):
    report("case03_overlap").make(tmp_path)
    case = tmp_path / "CT", tmp_path / folder / "RS.dcm", GTV_PTV
    text = refusal(*case)
    assert "GTV has no area to fill" in text
    assert why in text
    _, label = converted(*case, missing_ok=True)
    assert voxels(label) == {"GTV": 0, "PTV": 2022}


def test_values_that_no_label_has_are_named(tmp_path):
    report("case04_label_values").make(tmp_path)
    labels = {"kidney": 1, "tumour": 2}
    found = {
        case: (tmp_path / case / "image.nii.gz", tmp_path / case / "label.nii.gz", labels)
        for case in ("p1", "p2", "p3", "p4")
    }
    _, label = converted(*found["p1"])
    assert (voxels(label), label.facts["warnings"]) == ({"kidney": 1000, "tumour": 500}, [])
    _, label = converted(*found["p2"])
    assert voxels(label) == {"kidney": 0, "tumour": 1000}
    assert label.facts["unused_values"] == {"3": 500}
    assert label.facts["warnings"] == [
        "kidney (value 1) has no voxel in this label, while its value is in no label: 3 (500 voxels); check "
        "target.labels"
    ]
    assert "it holds 10 and 20, and target.labels is {kidney: 1, tumour: 2}" in refusal(*found["p3"])
    assert "it holds 255, and target.labels is" in refusal(*found["p4"])


def test_values_beside_complete_labels_are_no_reason_to_refuse_or_warn(tmp_path):
    report("case04_label_values").make(tmp_path)
    _, label = converted(tmp_path / "p1/image.nii.gz", tmp_path / "p1/label.nii.gz", {"tumour": 2})
    assert (voxels(label), label.facts["warnings"]) == ({"tumour": 500}, [])
    assert label.facts["unused_values"] == {"1": 1000}


def test_between_the_same_place_and_another_scan_a_distance_is_told(tmp_path):
    report("case10_affine_off").make(tmp_path)

    def case(off_um):
        return tmp_path / "image.nii.gz", tmp_path / f"label_off_{off_um}um.nii.gz", {"ball": 1}

    for off_um, told in ((10, []), (40, []), (80, ["lies 0.08 mm beside the voxels of its scan"])):
        _, label = converted(*case(off_um))
        assert voxels(label) == {"ball": 485}
        assert len(label.facts["warnings"]) == len(told)
        assert all(part in warning for part, warning in zip(told, label.facts["warnings"], strict=True))
    for off_um, distance, enough in ((300, "0.3 mm", 0.31), (1000, "1 mm", 1.01)):
        text = refusal(*case(off_um))
        assert f"their voxels lie up to {distance} apart (along x" in text
        assert "0.1 mm are allowed" in text
        assert f"set convert.label_off_mm: {enough}" in text
        _, label = converted(*case(off_um), off_mm=enough)  # the advice works
        assert voxels(label) == {"ball": 485}
        assert len(label.facts["warnings"]) == 1


def test_names_are_compared_as_people_read_them(tmp_path):
    report("case11_names").make(tmp_path)
    text = refusal(tmp_path / "CT", tmp_path / "same_name.dcm", {"Lesion": 1})
    assert "has 2 ROIs called \"Lesion\"; to unite them set target.roi_names: {Lesion: '/Lesion/'}" in text
    for file, names, expected in (
        ("same_name", ("/Lesion/",), 312),  # the advice works
        ("decomposed", ("lésion",), 260),
        ("double_blank", ("GTV primary",), 260),
    ):
        _, label = converted(tmp_path / "CT", tmp_path / f"{file}.dcm", {"target": 1}, roi_names={"target": names})
        assert voxels(label) == {"target": expected}
    text = refusal(tmp_path / "CT", tmp_path / "double_blank.dcm", {"GTV": 1})
    assert '"GTV  primary"' in text


def test_a_structure_that_reaches_out_of_the_scan_is_cut_and_told(tmp_path):
    report("case13_beyond_scan").make(tmp_path)
    _, label = converted(tmp_path / "CT", tmp_path / "below.dcm", {"BODY": 1})
    assert voxels(label) == {"BODY": 12240}
    assert label.facts["warnings"] == [
        "BODY: 1 of 41 contours reaches beyond the scan, by up to 1 mm; the part beyond was cut (convert.beyond_scan)"
    ]
    _, label = converted(tmp_path / "CT", tmp_path / "side.dcm", {"BODY": 1})
    assert voxels(label) == {"BODY": 1225}
    assert "BODY: 25 of 25 contours reach beyond the scan, by up to 3.5 mm" in label.facts["warnings"][0]
    text = refusal(tmp_path / "CT", tmp_path / "elsewhere.dcm", {"BODY": 1})
    assert "30 of 40 contours reach beyond the scan" in text
    assert "they must come from the same scan" in text
    text = refusal(tmp_path / "CT", tmp_path / "below.dcm", {"BODY": 1}, beyond="refuse")
    assert "1 of 41 contours reaches beyond the scan" in text
    assert "set convert.beyond_scan: cut" in text
    _, label = converted(tmp_path / "CT", tmp_path / "below.dcm", {"GTV": 1})
    assert label.facts["warnings"] == []


def test_counts_are_those_of_the_voxels(tmp_path):
    report("case03_overlap").make(tmp_path)
    _, label = converted(tmp_path / "CT", tmp_path / "overlap/RS.dcm", {"PTV": 1, "GTV": 2})
    counts = np.bincount(label.voxels_zyx.ravel(), minlength=3)
    assert voxels(label) == {"PTV": counts[1], "GTV": counts[2]}
    assert label.facts["labels"]["GTV"]["volume_cm3"] == pytest.approx(260 * 2 / 1000)
