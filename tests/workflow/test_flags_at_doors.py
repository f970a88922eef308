"""The same scan has the same quality flags in workflow, command line, service and page."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from ball_model import CARD
from command import ctseg
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.evaluation.segmentation_tables import segmentation_tables
from ctseg.export.model_files import export_onnx
from ctseg.files import write_json
from ctseg.geometry.volume import Volume
from ctseg.inference.case_task import CaseTask, segment_case
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.lungs.segment import segment_lungs
from ctseg.masks.components import volumes_cm3, write_components
from ctseg.masks.postprocessing import postprocess_and_measure
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan
from serving.page.inputs import Upload
from serving.page.work import Asked, segment
from serving.service import worker
from serving.service.jobs import Order
from serving.settings import Settings

KINDS = ("lung_field_not_plausible", "uncertain_lesions", "body")


@pytest.fixture(scope="module", params=KINDS)
def given(request, trained, scan, tmp_path_factory):
    """Model and scan with a quality flag of one kind; for "body", a model that does not search for lungs."""
    folder, kind = tmp_path_factory.mktemp(request.param), request.param
    region = "lungs" if kind == "lung_field_not_plausible" else "body"
    card = replace(
        CARD,
        preparation=replace(CARD.preparation, region=region),
        # Below the probabilities of noise, so that noise is segmented.
        threshold=0.1 if kind == "uncertain_lesions" else CARD.threshold,
    )
    export_onnx(trained, card, folder / "model.onnx")
    faint = np.where(scan[1], scan[0].voxels_zyx - 220, scan[0].voxels_zyx).astype(np.int16)
    image = Volume(faint, scan[0].grid) if kind == "uncertain_lesions" else scan[0]
    write_nifti(image, folder / "scan.nii.gz")
    return SimpleNamespace(
        kind=kind, folder=folder, card=card, model=folder / "model.onnx", scan=folder / "scan.nii.gz"
    )


@pytest.fixture(scope="module")
def expected(given):
    """Quality flags computed by the library."""
    scan, engine = read_scan(given.scan), load_engine(given.model, 1)
    found = predict(scan.volume, engine)
    assert found.entropy is None
    flags = quality_flags(scan.facts, engine.card, found.lungs, found.components)
    assert (given.kind in {flag.kind for flag in flags}) == (given.kind != "body")
    assert any("lung" in flag.text for flag in flags) == (given.kind == "lung_field_not_plausible")
    return flags


def test_the_workflow_gives_them(given, expected, tmp_path):
    scan = read_scan(given.scan)
    write_json(tmp_path / "facts.json", scan.facts)
    lungs, lungs_facts = None, None
    paths = {"facts": str(tmp_path / "facts.json"), "components": str(tmp_path / "components.tsv")}
    names = {"prediction": tmp_path / "mask.nii.gz", "uncertainty_of_found": tmp_path / "entropy.nii.gz"}
    if given.card.preparation.region == "lungs":
        lungs, found = segment_lungs(scan.volume, given.card.lungs)
        lungs_facts = {"source": "computed"} | found
        write_json(tmp_path / "lungs.json", lungs_facts)
        paths["lungs_facts"] = str(tmp_path / "lungs.json")
    task = {name: str(path) for name, path in names.items()}
    segment_case(CaseTask(image=str(given.scan), model=str(given.model), threads=1, engine="auto", **task))
    mask, entropy = (read_nifti(path) for path in names.values())
    plausible = bool(lungs_facts and lungs_facts["plausible"])
    _, rows, _ = postprocess_and_measure(mask, scan.volume, given.card.postprocess, lungs, plausible, entropy)
    write_components(rows, list(given.card.labels), paths["components"])
    paths["postprocessed"] = str(tmp_path / "postprocessed.json")
    write_json(paths["postprocessed"], {"volumes_cm3": volumes_cm3(rows, given.card.labels)})
    scans, _ = segmentation_tables({"a": paths}, given.card)
    assert scans["flags"].tolist() == ["; ".join(flag.text for flag in expected)]
    assert lungs_facts == predict(scan.volume, load_engine(given.model, 1)).lungs


@pytest.mark.parametrize("more", [[], ["--uncertainty"]])
def test_the_command_line_gives_them(given, expected, tmp_path, more):
    run = ctseg("predict", given.model, given.scan, "-o", tmp_path / "out.nii.gz", *more)
    assert run.returncode == 0, run.stderr
    told = [line.removeprefix("ctseg: ") for line in run.stderr.splitlines()]
    assert [flag.text for flag in expected] == [line for line in told if line in {flag.text for flag in expected}]


def test_the_service_gives_them(given, expected, tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(given.scan.read_bytes())
    pipe = SimpleNamespace(send=lambda message: None)
    loaded = worker.Loaded(load_engine(given.model, 1), "model.onnx", "0" * 64)
    ended = worker.segment(path, Order(), None, loaded, Settings(), pipe)
    assert ended == ("done", None)
    told = json.loads((tmp_path / worker.COMPONENTS).read_text())
    assert told["warnings"] == [flag.text for flag in expected]
    assert told["flags"] == [asdict(flag) for flag in expected]


def test_the_page_gives_them(given, expected):
    engine = load_engine(given.model, 1)
    asked = Asked("scan.nii.gz", (Upload("scan.nii.gz", given.scan.read_bytes()),))
    shown = segment(asked, engine, given.model, Settings(), lambda step, fraction: None)
    assert [flag.as_dict() for flag in shown.cautions] == [flag.as_dict() for flag in expected]
