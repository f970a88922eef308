"""Cases of public archives in their published layouts."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from archive_trees import make_files, make_lidc, make_luna16, make_msd, make_nnunet
from ctseg.catalogue.archives import ARCHIVES
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.study.cases import Case, find_cases
from ctseg.study.look_at_folder import look_at
from places import ROOT
from studies import TINY, merged, planned_jobs, snakemake

SCHEMA_PATH = ROOT / "rules/schemas/cases.schema.yaml"


def find(root: Path, source: str, labels: dict[str, int] | None = None, folder: str = "data") -> list[Case]:
    config = {"source": source, "folder": folder, "exclude": [], "corrections": None, "names": "keep"}
    return find_cases(config, root, SCHEMA_PATH, "made", labels or {"spleen": 1})


def complaint(root: Path, source: str, labels: dict[str, int] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        find(root, source, labels)
    return str(caught.value)


def test_the_decathlon_has_training_cases_and_cases_to_predict(tmp_path):
    make_msd(tmp_path / "data")
    cases = find(tmp_path, "msd")
    assert [case.case for case in cases] == ["spleen_10", "spleen_2", "spleen_3", "spleen_4", "spleen_6", "spleen_7"]
    assert cases[1] == Case("spleen_2", "data/imagesTr/spleen_2.nii.gz", "data/labelsTr/spleen_2.nii.gz")
    assert cases[-1] == Case("spleen_7", "data/imagesTs/spleen_7.nii.gz", split="predict")


def test_the_decathlons_labels_must_be_the_studys(tmp_path):
    make_msd(tmp_path / "data", labels={"0": "background", "1": "liver", "2": "tumour"})
    assert len(find(tmp_path, "msd", {"Tumor": 2})) == 6
    assert len(find(tmp_path, "msd", {"liver_tumour": 2, "liver": 1})) == 6
    for labels in ({"cancer": 2}, {"tumour": 1}, {"liver": 3}):
        [(name, value)] = labels.items()
        expected = f"target.labels: {name}: {value} does not match data/dataset.json, which holds liver: 1, tumour: 2"
        assert complaint(tmp_path, "msd", labels) == expected


@pytest.mark.parametrize(("source", "make"), [("msd", make_msd), ("nnunet", make_nnunet)])
def test_names_in_other_letters_are_matched_by_their_values(tmp_path, source, make):
    names = ["background", "肝脏", "肿瘤 a", "cyst"]
    pairs = enumerate(names)
    make(tmp_path / "data", labels=dict(map(reversed, pairs)) if source == "nnunet" else {str(n): t for n, t in pairs})
    look = look_at(str(tmp_path / "data"), print)
    assert look.labels == {"label_1": 1, "a": 2, "cyst": 3}
    assert look.names_in_files == {"label_1": "肝脏", "a": "肿瘤 a"}
    assert len(find(tmp_path, source, look.labels)) == 6
    assert len(find(tmp_path, source, {"liver": 1})) == 6
    for labels in ({"liver": 3}, {"liver": 4}):
        assert "does not match data/dataset.json, which holds 肝脏: 1" in complaint(tmp_path, source, labels)


def test_a_task_that_is_no_ct_is_refused(tmp_path):
    make_msd(tmp_path / "data", modality={"0": "T2", "1": "ADC"})
    assert "data/dataset.json says that the scans are T2, ADC; ctseg is for CT" in complaint(tmp_path, "msd")


@pytest.mark.parametrize("changes", [{"labels": None}, {"training": [{"image": "a.nii.gz"}]}, {"labels": {"one": "a"}}])
def test_a_damaged_dataset_json_is_told(tmp_path, changes):
    make_msd(tmp_path / "data", **changes)
    assert "data/dataset.json is damaged" in complaint(tmp_path, "msd")


def test_what_was_not_unpacked_is_told_by_name(tmp_path):
    make_msd(tmp_path / "data")
    (tmp_path / "data/labelsTr/spleen_3.nii.gz").unlink()
    assert "the label data/labelsTr/spleen_3.nii.gz does not exist" in complaint(tmp_path, "msd")


def test_series_of_luna16_know_their_lungs(tmp_path):
    make_luna16(tmp_path / "data")
    first, *others = find(tmp_path, "luna16")
    uid = "1.2.0"
    assert first == Case(
        uid, f"data/subset0/{uid}.mhd", "data/annotations.csv", uid, lungs=f"data/seg-lungs-LUNA16/{uid}.mhd"
    )
    assert [(case.series_uid, case.lungs) for case in others] == [(f"1.2.{number}", None) for number in range(1, 5)]


@pytest.mark.parametrize("source", ARCHIVES)
@pytest.mark.parametrize("layout", ["nothing", "empty", "another"])
def test_a_folder_that_is_not_the_archive_says_what_is_expected(tmp_path, source, layout):
    if layout != "nothing":
        (tmp_path / "data").mkdir()
    if layout == "another":
        make_files(tmp_path / "data", "imagesTr/a.nii.gz", "subset0/1.2.mhd", "LIDC-IDRI/LIDC-IDRI-0001/1/2/3.xml")
    text = complaint(tmp_path, source)
    assert text.startswith("cases.folder: data ")
    licence = (" GB", "CC BY") if ARCHIVES[source].public else ()
    assert all(word in text for word in ("http", "the folder that holds", *licence))


def test_a_table_may_name_a_lung_field(tmp_path):
    make_files(tmp_path / "data", "a.nii", "lungs.nii")
    make_files(tmp_path / "data", "cases.tsv", text="case\timage\tlungs\na\ta.nii\tlungs.nii\n")
    config = {"source": "table", "table": "data/cases.tsv", "exclude": [], "corrections": None, "names": "auto"}
    [case] = find_cases(config, tmp_path, SCHEMA_PATH, "made", {})
    assert case.lungs == "data/lungs.nii"
    (tmp_path / "data/lungs.nii").unlink()
    with pytest.raises(InputError, match=r"the lungs data/lungs\.nii does not exist"):
        find_cases(config, tmp_path, SCHEMA_PATH, "made", {})


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "make", "labelled", "unlabelled"),
    [
        ("msd_spleen", make_msd, 5, 1),
        ("msd_lung", lambda folder: make_msd(folder, "cancer"), 5, 1),
        ("lidc_idri", make_lidc, 5, 0),
        ("luna16", make_luna16, 5, 0),
        ("nnunet", make_nnunet, 5, 1),
    ],
)
def test_a_ready_study_runs_on_its_archive(tmp_path, name, make, labelled, unlabelled):
    study = yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text(encoding="utf-8"))
    make(tmp_path / study["cases"]["folder"])
    jobs = planned_jobs(tmp_path, merged(study, {"split": {"test_fraction": 0.4, "validation_fraction": 0.4}}))
    in_lungs = study["target"]["region"] == "lungs"
    assert (jobs["convert_image"], jobs["convert_label"]) == (labelled + unlabelled, labelled)
    assert jobs.get("segment_lungs", 0) == in_lungs * (labelled + unlabelled)


@pytest.mark.timeout(120)
def test_a_lung_field_that_is_given_is_taken(tmp_path):
    grid = Grid((40, 50, 60), (5.0, 5.0, 6.0), (-150.0, -120.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    hu = np.full(grid.shape_zyx, -1000, dtype=np.int16)
    hu[:, 5:-5, 5:-5] = 40
    lungs = np.zeros(grid.shape_zyx, dtype=np.uint8)
    lungs[5:35, 15:35, 10:25], lungs[5:35, 15:35, 35:50] = 1, 2
    hu[lungs > 0] = -850
    label = np.zeros(grid.shape_zyx, dtype=np.uint8)
    label[20, 20, 20] = 1
    for name, voxels in (("image", hu), ("lungs", lungs), ("label", label)):
        for case in "abcd":
            write_nifti(Volume(voxels, grid), tmp_path / f"{case}_{name}.nii")
    rows = "".join(f"{case}\t{case}_image.nii\t{case}_label.nii\t{case}_lungs.nii\n" for case in "abc")
    rows += "d\td_image.nii\td_label.nii\t\n"
    make_files(tmp_path, "cases.tsv", text=f"case\timage\tlabel\tlungs\n{rows}")
    study = merged(TINY, {"cases": {"source": "table", "table": "cases.tsv"}})
    folder = tmp_path / "results/tiny/lungs"
    run = snakemake(tmp_path, study, "--", "results/tiny/lungs/a.json", "results/tiny/lungs/d.json")
    assert run.returncode == 0, run.stdout
    given, computed = (json.loads((folder / f"{case}.json").read_text()) for case in "ad")
    assert (given["source"], computed["source"]) == ("given", "computed")
    assert given["plausible"] and given["mean_hu"] == -850
    np.testing.assert_array_equal(read_nifti(folder / "a.nii.gz").voxels_zyx, lungs > 0)
