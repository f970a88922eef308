import pytest

from configs import changed, complaint, only_problem, resolve

UNET = {"architecture": "unet", "channels": [8] * 3}
SEGRESNET = {"architecture": "segresnet", "channels": [8, 16]}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cases.source", "table", "cases.table: is missing"),
        ("cases.source", "folder", "cases.image: is missing"),
        ("cases.source", "lidc", "cases.folder: is missing; `source: lidc` needs the path of the archive's folder"),
        ("cases.phantom.spacing_mm", [2, 1], "should name the smaller number first"),
        ("target.labels", {"a": 1, "b": 1}, "a and b have the same value 1"),
        ("target.roi_names", {"tumor": "GTV"}, "target.roi_names.tumor: is none of the labels nodule"),
        ("plan.window_hu", [400, -1000], "plan.window_hu: [400, -1000] is empty"),
        (
            "network",
            {"channels": [8] * 3, "strides": [[4, 4, 4]] * 2, "stem": [2, 2, 2]},
            "should be multiples of [32, 32, 32]",
        ),
        ("network", {"channels": [8] * 6}, "plan.patch_size: [48, 48, 48] allows 4 levels, network.channels has 6"),
        ("network", {"channels": [8] * 4, "strides": [[2, 2, 2]]}, "network.channels has 4 levels and needs 3"),
        (
            "network",
            UNET | {"kernel_sizes": [[3, 3, 1]] * 3},
            "kernel_sizes: should be [3, 3, 3] at each level for unet",
        ),
        ("network.channels", [8, 16], "network.channels: has 2 levels; a dynunet needs at least 3"),
        ("network", UNET | {"stem": [2, 2, 2]}, "network.stem: needs architecture dynunet, not unet"),
        ("network", UNET | {"deep_supervision": True}, "network.deep_supervision: needs architecture dynunet"),
        ("train.class_weights", {"vessel": 2}, "train.class_weights.vessel: is none of the labels nodule"),
        ("train.init_from", "nowhere.pt", 'train.init_from: "nowhere.pt" is not a file'),
        ("train.freeze_encoder", True, "train.freeze_encoder: needs train.init_from"),
        ("train.gpus", 4, "plan.batch_size: 2 is no multiple of train.gpus, 4"),
        (
            "target.roi_names",
            {"nodule": ["GTV", "/[a/"]},
            'target.roi_names.nodule: "/[a/" is not a regular expression',
        ),
        ("network", UNET | {"norm": "group"}, "network.norm: group does not fit a unet"),
        ("network", {"channels": [6, 12, 24], "norm": "group"}, "[6, 12, 24] should be multiples of 4 for norm group"),
        ("network", SEGRESNET | {"channels": [8, 24]}, "[8, 24] should double from level to level for segresnet"),
        ("network.strides", [[2, 2, 2]] * 3, "network.strides: cannot be given while network.channels is auto"),
        ("network", SEGRESNET | {"strides": [[2, 2, 1]]}, "strides: should be [2, 2, 2] at each level for segresnet"),
        ("measure.groups", ["sex"], "measure.groups: needs cases.source: table, not phantom"),
        ("model", "nowhere.onnx", 'model: "nowhere.onnx" is not a file'),
        ("infer", {"engine": "openvino", "precision": "tf32"}, "infer.precision: tf32 needs the engine onnxruntime or"),
    ],
)
def test_a_condition_on_several_keys_is_told_in_words(key, value, words):
    assert words in only_problem(changed(key, value))


def test_a_mirrored_axis_must_be_one_that_training_flips():
    config = changed("infer.mirror_axes", ["x", "z"])
    config["augment"]["flip_axes"] = ["x", "y"]
    assert "infer.mirror_axes: z is not in augment.flip_axes" in complaint(config)
    config["infer"]["mirror_axes"] = ["x"]
    assert resolve(config)["infer"]["mirror_axes"] == ["x"]


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        ("scans/all.nii.gz", None, "cases.image: "),
        ("{case}/{visit}", None, "{visit} is not known"),
        ("**/{case}", None, "has **"),
        ("{case}", "labels.nii.gz", "cases.label: "),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(image, label, words):
    config = changed("cases.source", "folder")
    config["cases"] |= {"image": image, "label": label}
    assert words in complaint(config)


@pytest.mark.parametrize("source", ["lidc", "luna16"])
def test_an_archive_of_nodules_has_one_label(source):
    config = changed("cases.source", source)
    config["cases"]["folder"] = "data"
    assert resolve(config)["cases"]["folder"] == "data"
    config["target"]["labels"] = {"nodule": 1, "tumour": 2}
    assert "target.labels: nodule and tumour are too many" in complaint(config)


def test_only_the_phantom_may_be_called_so():
    config = changed("cases.source", "table")
    config["cases"]["table"] = "cases.tsv"
    assert resolve(config)["study"] == "mine"
    config["study"] = "phantom"
    assert "study: is missing: name your study" in complaint(config)


@pytest.mark.parametrize("key", ["train.init_from", "model"])
def test_a_result_of_the_study_is_not_its_input(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    for study in ("mine", "other"):
        (tmp_path / "results" / study / "model").mkdir(parents=True)
        (tmp_path / "results" / study / "model" / "model.ts").touch()
    (tmp_path / "link").symlink_to("results/mine")
    for path in ("results/mine/model/model.ts", tmp_path / "results/mine/model/model.ts", "link/model/model.ts"):
        text = complaint(changed(key, str(path)))
        assert f"{key}: " in text
        assert "is a result of this study" in text
    resolve(changed(key, "results/other/model/model.ts"))
