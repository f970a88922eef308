"""What the records of a study name."""

from ctseg.study.records import reported_config, source_files
from many_cases import study


def test_the_users_own_files_are_named_by_their_case():
    found = source_files(study(train={"init_from": "start.pt"}))
    assert found["0/init"] == found["1/init"] == "start.pt"
    assert found["b/given"] == "b_lungs.nii"
    assert {"a/scan", "a/label", "c/label", "d/scan"} <= found.keys()
    assert not {"e/scan", "e/label", "d/label", "model"} & found.keys()  # a phantom's files are results
    assert source_files(study(model="given.onnx"))["model"] == "given.onnx"


def test_the_reported_config_holds_no_path():
    shown = reported_config(study(cases={"source": "table", "table": "/home/me/cases.tsv"}).config)
    assert shown["cases"] == {"source": "table"}
    assert "/home/me" not in str(shown)
    assert not {"resources", "keep", "compare_with"} & shown.keys()
