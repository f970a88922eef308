"""Names in the records of a study."""

from ctseg.study.records import GIVEN, reported_config, source_files
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


def test_a_start_model_and_a_given_model_are_reported_without_their_paths():
    config = study(model="/home/me/given.onnx", train={"init_from": "/home/me/start.ts"}).config
    shown = reported_config(config)
    assert shown["model"] == shown["train"]["init_from"] == GIVEN
    assert config["train"]["init_from"] == "/home/me/start.ts"
    assert not any("/" in value for value in strings(shown))
    unset = reported_config(study().config)
    assert unset["model"] is None and unset["train"]["init_from"] is None


def strings(value) -> list[str]:
    """All texts in nested mappings and lists."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in strings(part)]
