"""Each option has a description, builder, schema value, methods text and citation; missing parts are reported."""

import subprocess
import sys

import pytest

from catalogues import forgotten
from command import with_folders
from ctseg.catalogue.archives import ARCHIVES, Archive
from ctseg.catalogue.entry import Entry
from ctseg.catalogue.label_formats import LABEL_FORMATS, LabelFormat
from ctseg.catalogue.losses import LOSSES
from ctseg.catalogue.metrics import METRICS, Metric, metric_of
from ctseg.catalogue.networks import NETWORKS
from ctseg.catalogue.optimisers import OPTIMISERS
from ctseg.catalogue.references import REFERENCES
from ctseg.training.losses import LOSSES as TERMS
from places import SCRIPTS

MADE_UP = ("Made up 2099",)


def test_nothing_is_forgotten():
    assert forgotten() == []


@pytest.mark.parametrize(
    ("catalogue", "entry", "lacks"),
    [
        (NETWORKS, Entry("a made-up net"), ["network/architectures.py", "network/kinds.py", "the config's schema"]),
        (NETWORKS, Entry("", MADE_UP), ["no description", "cites Made up 2099, which is no reference"]),
        (LOSSES, Entry("a made-up loss", MADE_UP), ["training/losses.py", "the config's schema", "no reference"]),
        (OPTIMISERS, Entry("a made-up optimiser"), ["training/optimiser.py", "the config's schema"]),
        (ARCHIVES, Archive("an archive"), ["study/archives.py", "the config's schema", "layout", "no label format"]),
        (LABEL_FORMATS, LabelFormat("a format", settings=("convert.none",)), ["labels/formats.py", "no key"]),
        (METRICS, Metric("a made-up metric", family="unheard of"), ["evaluation", "not in the methods text"]),
    ],
)
def test_of_a_made_up_entry_each_part_that_lacks_is_named(monkeypatch, catalogue, entry, lacks):
    monkeypatch.setitem(catalogue, "made_up", entry)
    found = forgotten()
    assert all(" made_up: " in line for line in found)
    for part in lacks:
        assert any(part in line for line in found), (part, found)


def test_a_builder_without_an_entry_is_named(monkeypatch):
    monkeypatch.setitem(TERMS, "made_up", TERMS["dice_bce"])
    assert forgotten() == ["loss made_up: training/losses.py has it, the catalogue has not"]


def test_every_reference_is_one_that_something_cites():
    entries = [*NETWORKS.values(), *LOSSES.values(), *OPTIMISERS.values(), *ARCHIVES.values(), *METRICS.values()]
    of_text = {"Cardoso 2022", "Clopper 1934", "Garwood 1936", "Korn 1998", "Maier-Hein 2024", "Mölder 2021"}
    assert {key for entry in entries for key in entry.cite} | of_text == set(REFERENCES)


def test_a_column_knows_its_metric():
    assert metric_of("surface_dice_2.5mm") is METRICS["surface_dice"]
    assert metric_of("hd95_mm").unit == "mm"
    with pytest.raises(KeyError):
        metric_of("made_up")


def test_the_catalogue_needs_no_heavy_package():
    names = ["archives", "label_formats", "losses", "metrics", "networks", "optimisers", "references"]
    imported = [*(f"ctseg.catalogue.{name}" for name in names), "ctseg.network.kinds"]
    code = f"import sys, {', '.join(imported)}\n"
    code += "print([name for name in ('torch', 'monai', 'SimpleITK', 'numpy', 'pandas') if name in sys.modules])"
    environment = with_folders(SCRIPTS)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
