"""Tables of the components and of the class volumes in all scans."""

import json
from dataclasses import replace

from cards import CARD
from ctseg.evaluation.segmentation_tables import segmentation_tables

COMPONENTS = "label\tcomponent\tvoxels\tvolume_cm3\tmean_entropy_bits\n"
FACTS = {"spacing_xyz_mm": [1.0, 1.0, 2.0], "size_xyz": [8, 8, 8], "warnings": []}


def written(folder, name, components, volumes=(0.0, 0.0), **facts):
    paths = {"components": folder / f"{name}.tsv", "facts": folder / f"{name}.json"}
    paths["postprocessed"] = folder / f"{name}_facts.json"
    paths["postprocessed"].write_text(json.dumps({"volumes_cm3": dict(zip(CARD.labels, volumes, strict=True))}))
    paths["components"].write_text(COMPONENTS + components)
    paths["facts"].write_text(json.dumps(FACTS | facts))
    return {kind: str(path) for kind, path in paths.items()}


def test_scans_have_volumes_and_flags_and_components_their_case(tmp_path):
    files = {
        "001": written(tmp_path, "001", "tumour\t1\t5\t1.5\t\ntumour\t2\t3\t0.5\t\n", (2.00004, 0.0)),
        "002": written(tmp_path, "002", "", warnings=["the gantry was tilted"]),
    }
    scans, components = segmentation_tables(files, CARD)
    assert scans.columns.tolist() == ["case", "components", "tumour_cm3", "node_cm3", "flags"]
    assert scans["case"].tolist() == ["001", "002"]
    assert scans["components"].tolist() == [2, 0]
    assert scans["tumour_cm3"].tolist() == [2.00004, 0.0]  # not the sum of the rounded volumes
    assert "tilted" in scans["flags"][1]
    assert components.columns[0] == "case"
    assert components[["case", "component"]].values.tolist() == [["001", 1], ["001", 2]]


def test_an_implausible_lung_field_is_flagged(tmp_path):
    paths = written(tmp_path, "a", "")
    lungs = tmp_path / "lungs.json"
    lungs.write_text(json.dumps({"plausible": False, "cut_fraction": 0.0, "reason": "no lung was found"}))
    card = replace(CARD, preparation=replace(CARD.preparation, region="lungs"))
    scans, _ = segmentation_tables({"a": paths | {"lungs_facts": str(lungs)}}, card)
    assert "no lung was found" in scans["flags"][0]
