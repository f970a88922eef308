"""Study as RO-Crate: every job is an action, every result a file, and every input of the user only a hash."""

import pytest

from ctseg.provenance.ro_crate import PROFILES, study_crate

SHA = "0" * 64


def job_of(rule, started, inputs, outputs, sources=None, **wildcards):
    return {
        "rule": rule,
        "wildcards": wildcards,
        "command": f"snakemake -- {rule}",
        "code": f"code of {rule}",
        "params": {},
        "inputs": inputs,
        "sources": sources or {},
        "outputs": {path: {"sha256": SHA, "bytes": 7} for path in outputs},
        "software": {"python": "3.11"},
        "machine": {"cores": 2},
        "threads": 1,
        "started": f"2026-01-01T00:00:0{started}+00:00",
        "ended": f"2026-01-01T00:00:0{started + 1}+00:00",
    }


@pytest.fixture
def graph(tmp_path):
    """Entities of a crate of three jobs, by identifier; one result was deleted as temporary."""
    for name in ("images/a.nii.gz", "report.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan = {"scan": [{"sha256": SHA, "bytes": 5}]}
    jobs = [
        job_of("report", 5, ["images/a.nii.gz", "images/b.nii.gz"], ["report.html"]),
        job_of("convert_image", 1, [], ["images/a.nii.gz"], scan, case="a"),
        job_of("convert_image", 2, [], ["images/b.nii.gz"], scan, case="b"),
    ]
    manifest = {
        "study": "mine",
        "config": {"study": "mine"},
        "workflow": {"name": "ctseg", "revision": "abc"},
        "software": {"snakemake": ["9.1"]},
        "jobs": jobs,
    }
    crate = study_crate(manifest, tmp_path, "workflow/", "CC-BY-4.0")
    return {entity["@id"]: entity for entity in crate.metadata.generate()["@graph"]}


def ids(value):
    return [entity["@id"] for entity in (value if isinstance(value, list) else [value])]


def test_the_crate_says_what_it_is(graph):
    root = graph["./"]
    assert (root["name"], root["license"]) == ("ctseg study mine", "CC-BY-4.0")
    assert root["datePublished"] == "2026-01-01T00:00:06+00:00"
    assert set(ids(root["conformsTo"])) == set(PROFILES)
    assert ids(root["mainEntity"]) == ["workflow/Snakefile"]
    assert graph["workflow/Snakefile"]["version"] == "abc"


def test_each_job_is_an_action_of_its_rules_script(graph):
    action = graph["#job/convert_image/a"]
    assert ids(action["instrument"]) == ["workflow/workflow_scripts/convert_image.py"]
    assert (ids(action["object"]), ids(action["result"])) == (["#given/a/scan"], ["images/a.nii.gz"])
    assert (action["startTime"], action["endTime"]) == ("2026-01-01T00:00:01+00:00", "2026-01-01T00:00:02+00:00")
    assert graph["workflow/workflow_scripts/convert_image.py"]["version"] == "code of convert_image"
    actions = [name for name, entity in graph.items() if entity["@type"] == "CreateAction"]
    assert sorted(actions) == ["#job/convert_image/a", "#job/convert_image/b", "#job/report", "#run"]


def test_steps_stand_in_the_order_in_which_their_rules_began(graph):
    assert {name: graph[f"#step/{name}"]["position"] for name in ("convert_image", "report")} == {
        "convert_image": "1",
        "report": "2",
    }


def test_a_result_that_was_cleaned_away_and_what_was_given_are_no_files(graph):
    assert graph["images/a.nii.gz"]["@type"] == "File"
    assert graph["images/a.nii.gz"]["encodingFormat"] == "application/gzip"
    for name in ("#gone/images/b.nii.gz", "#given/b/scan"):
        assert (graph[name]["@type"], graph[name]["sha256"]) == ("CreativeWork", SHA)
    assert set(ids(graph["#job/report"]["object"])) == {"images/a.nii.gz", "#gone/images/b.nii.gz"}


def test_every_reference_has_its_entity(graph):
    def references(value):
        if isinstance(value, list):
            return {name for item in value for name in references(item)}
        return {value["@id"]} if isinstance(value, dict) else set()

    named = {name for entity in graph.values() for value in entity.values() for name in references(value)}
    assert {name for name in named if not name.startswith("http")} <= graph.keys()
