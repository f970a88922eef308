# What rules take: named inputs, and the params that go with them, which depend on the config or on the case.


def refers_to_series(case):
    """Whether the label of a case may name the DICOM series that it was drawn on."""
    label = CASES[case].label
    unnamed = label is None or is_volume_file(label) or label.lower().endswith(".csv")
    return not unnamed and not is_volume_file(CASES[case].image)


def reference_of(wildcards):
    """The label that says which series of the scan's folder is meant as a named input, where it may say so.

    Its time does not count: convert_label tells when a label that was changed names another series than before.
    """
    if not refers_to_series(wildcards.case):
        return {}
    return {"reference": ancient(CASES[wildcards.case].label)}


def scan_facts_of(wildcards):
    """The facts of a scan as a named input, where they tell how the label relates to it."""
    if not refers_to_series(wildcards.case):
        return {}
    return {"scan_facts": f"{RESULTS}/images/{wildcards.case}.json"}


def lungs_of(wildcards):
    """Lung field and its facts for studies inside the lungs; nothing otherwise."""
    if not IN_LUNGS:
        return {}
    return {
        "lungs": f"{RESULTS}/lungs/{wildcards.case}.nii.gz",
        "lungs_facts": f"{RESULTS}/lungs/{wildcards.case}.json",
    }


def lungs_facts(cases):
    """The facts of all lung fields as a named input, for studies inside the lungs."""
    files = [f"{RESULTS}/lungs/{case}.json" for case in cases]
    return {"lungs_facts": files} if IN_LUNGS else {}


def given_torchscript():
    """The file for libtorch beside a given model as a named input, where it is there."""
    beside = Path(config["model"]).with_suffix(".ts")
    return {"torchscript": str(beside)} if beside.is_file() else {}


def torchscript():
    """The model for libtorch as a named input, where there is one."""
    there = not config["model"] or given_torchscript()
    return {"torchscript": TORCHSCRIPT} if there else {}


def given_lungs(wildcards):
    """The lung field that comes with a scan as a named input, where it has one."""
    lungs = CASES[wildcards.case].lungs
    return {"given": lungs} if lungs else {}


def prepared(case):
    """What preprocess makes of a case."""
    return [
        f"{RESULTS}/preprocessed/{case}/{name}"
        for name in ("image.nii", "label.nii", "foreground.npz")
    ]


def member_inputs(wildcards):
    """Prepared cases that a network trains and validates on."""
    training, validation = FOLDS[MEMBERS[wildcards.member][0]]
    return [path for case in training + validation for path in prepared(case)]


def start_of(wildcards):
    """The weights to start from as a named input, where there are some."""
    start = config["train"]["init_from"]
    return {"init": start} if start else {}


def member_params(wildcards):
    """Which cases a network trains on and which it validates on, beside the settings of training."""
    fold, repeat = MEMBERS[wildcards.member]
    training, validation = FOLDS[fold]
    unused = ("repeats", "gpus", "init_from")
    return step(
        augment=config["augment"],
        fold=fold,
        labels=LABELS,
        network=config["network"],
        repeat=repeat,
        seed=config["seed"],
        train={
            key: value for key, value in config["train"].items() if key not in unused
        },
        training=training,
        validation=validation,
    )


def out_of_fold():
    """Cases that some network was not trained on, with the fold whose network that is."""
    return {
        case: SPLITS[case].fold or 0
        for case in cases_to_train()
        if SPLITS[case].split == "val" or SPLITS[case].fold is not None
    }


def model_out_of_fold(wildcards):
    """The model whose networks were not trained on a case, for every engine, as named inputs."""
    folder = f"{RESULTS}/folds/{out_of_fold()[wildcards.case]}"
    return {"model": f"{folder}/model.onnx", "torchscript": f"{folder}/model.ts"}


def calibration_cases(part):
    """A few of the cases that the networks of a fold, or of the final model, were trained on."""
    fold = part.rpartition("/")[2]
    training = cases_to_train() if part == "model" else FOLDS[int(fold)][0]
    return training[:CALIBRATION_CASES]


def calibration_inputs(wildcards):
    """What preprocess makes of the cases to calibrate on."""
    return [
        path for case in calibration_cases(wildcards.part) for path in prepared(case)
    ]


def calibration_params(wildcards):
    """Where the cases to calibrate on lie."""
    return step(
        cases=calibration_cases(wildcards.part),
        prepared=f"{RESULTS}/preprocessed",
        seed=config["seed"],
    )


def int8_model(wildcards):
    """The model of 8-bit integers as a named input, where it may be wanted."""
    wanted = config["infer"]["precision"] in ("auto", "int8") and not config["model"]
    return {"int8": f"{RESULTS}/model/model.int8.onnx"} if wanted else {}


def maps(*names):
    """Maps beside the prediction of a case, as named files."""
    return {name: f"{RESULTS}/predictions/{name}/{{case}}.nii.gz" for name in names}


def weights_of_fold(wildcards):
    """The weights of all repeats of a fold."""
    return [
        f"{RESULTS}/folds/{member}/weights.pt"
        for member, (fold, repeat) in MEMBERS.items()
        if fold == int(wildcards.fold)
    ]


def phantom_params(case):
    """Settings of one phantom patient; the number in its name is its index."""
    settings = config["cases"]["phantom"]
    return dict(
        sorted(
            {
                "seed": config["seed"],
                "index": int(case.rpartition("-")[2]),
                "spacing_mm": settings["spacing_mm"],
                "slice_distance_mm": settings["slice_distance_mm"],
                "nodules": settings["nodules"],
            }.items()
        )
    )


def sources():
    """The user's own files by what the manifest calls them: the case that they belong to, and their input's name."""
    found = {"model": config["model"], **given_torchscript()} if config["model"] else {}
    for member in MEMBERS:
        found |= {f"{member}/{name}": path for name, path in start_of(None).items()}
    for case in cases_to_report():
        paths = {
            "scan": CASES[case].image,
            "label": CASES[case].label,
            "given": CASES[case].lungs,
        }
        found |= {f"{case}/{name}": path for name, path in paths.items() if path}
    return {
        name: path for name, path in found.items() if not path.startswith(f"{RESULTS}/")
    }


def passing_files():
    """Files and folders of results that may be gone after the run, from the study's folder on."""
    if config["keep"] == "all":
        return []
    folders = ["preprocessed/", "predictions/candidates/", "predictions/certainty/"]
    return folders + [f"predictions/{case}.nii.gz" for case in cases_to_segment()]


def label_of(wildcards):
    """The label of a case as a named input, where it has one."""
    if CASES[wildcards.case].label is None:
        return {}
    return {"label": f"{RESULTS}/labels/{wildcards.case}.nii.gz"}


def stability_tables(pattern):
    """The tables of stability of all measured cases as a named input, where they are wanted."""
    wanted = config["measure"]["stability"]
    return {"stability": expand(pattern, case=cases_to_measure())} if wanted else {}


def other_metrics(wildcards):
    """The metrics of the study to compare with."""
    if not config["compare_with"]:
        raise WorkflowError(
            "name the study to compare with: snakemake compare --config compare_with=NAME"
        )
    metrics = f"results/{config['compare_with']}/metrics/cases.tsv"
    if not Path(metrics).is_file():
        raise WorkflowError(
            f"compare_with: {metrics} does not exist; run that study to its end first, or correct the name"
        )
    return metrics


# Figures of the metrics, and what they are called.
METRIC_FIGURES = {"dice": "Dice", "volumes": "Volumes"}
if config["measure"]["probabilities"]:
    METRIC_FIGURES |= {
        "froc": "Lesions over all thresholds",
        "calibration": "Calibration",
    }
# Maps of each voxel that are wanted beside the prediction.
UNCERTAINTY = maps("uncertainty") if config["infer"]["uncertainty"] else {}
CERTAINTY = (
    maps("candidates", "certainty") if config["measure"]["probabilities"] else {}
)
# Cases on which ways to infer are compared.
COMPARED = list(out_of_fold())[: config["infer"]["compare_cases"]]
