"""The tour notebook runs completely in a finished study."""

import nbformat
import pytest

from places import ROOT
from studies import TINY, merged, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TOUR = ROOT / "notebooks" / "tour.ipynb"


def test_the_tour_is_short_and_carries_no_output():
    tour = nbformat.read(TOUR, as_version=4)
    assert len(tour.cells) <= 10
    nbformat.validate(tour)
    for cell in tour.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_every_cell_runs_and_the_prediction_is_that_of_the_study(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    run = snakemake(tmp_path, merged(TINY, {"train": {"steps": 40, "validate_every": 20}}), "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    monkeypatch.setenv("CTSEG_STUDY", str(tmp_path / "results" / "tiny"))
    tour = nbformat.read(TOUR, as_version=4)
    NotebookClient(tour, timeout=300, resources={"metadata": {"path": str(TOUR.parent)}}).execute()
    outputs = [cell.outputs for cell in tour.cells if cell.cell_type == "code"]
    assert all(outputs)
    assert any("the same as in the study: True" in output.get("text", "") for output in outputs[-1])
    assert any("image/png" in output.get("data", {}) for output in outputs[-1])
