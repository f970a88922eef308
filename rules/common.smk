# Shared by all stages. The checked config, the cases with their splits, and small helpers. Functions live here alone.
# All of it runs each time the workflow is read, so it imports nothing heavy and opens no scan.
import hashlib
import sys

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
SCHEMAS = Path(workflow.basedir) / "rules" / "schemas"
sys.path.insert(0, str(SCRIPTS))

from ctseg.archives import LUNG_VALUES
from ctseg.cases import find_cases
from ctseg.code_hash import code_hash
from ctseg.config import resolve_config
from ctseg.errors import InputError
from ctseg.splits import assign_splits, fold_cases, without_training

try:
    config = resolve_config(
        config,
        SCHEMAS / "config.schema.yaml",
        given=workflow.config_settings.overwrite_config,
    )
    STUDY = config["study"]
    RESULTS = f"results/{STUDY}"
    CASES = {
        case.case: case
        for case in find_cases(
            config["cases"],
            Path.cwd(),
            SCHEMAS / "cases.schema.yaml",
            f"{RESULTS}/phantom",
            config["target"]["labels"],
            config["measure"]["groups"],
        )
    }
    if config["model"]:
        SPLITS, FOLDS = without_training(list(CASES.values())), {}
    else:
        SPLITS = assign_splits(list(CASES.values()), config["split"])
        FOLDS = {
            fold: fold_cases(SPLITS, fold) for fold in range(config["split"]["folds"])
        }
except InputError as error:
    raise WorkflowError(str(error)) from None

LABELS = list(config["target"]["labels"])
# The model that is used, and what goes with it, wherever it comes from.
MODEL, TORCHSCRIPT = (f"{RESULTS}/model/model.{suffix}" for suffix in ("onnx", "ts"))
CARD = f"{RESULTS}/model/card.json"
CLEANING = f"{RESULTS}/model/postprocess.json"
INFERENCE = f"{RESULTS}/model/inference.json"
IN_LUNGS = config["target"]["region"] != "body"
# The networks of an ensemble: one for each fold and repeat, named 0, 1, … and 0-repeat2, 1-repeat2, …
MEMBERS = {
    f"{fold}-repeat{repeat + 1}" if repeat else str(fold): (fold, repeat)
    for repeat in range(config["train"]["repeats"])
    for fold in FOLDS
}
PLANNED = ("architecture", "channels", "strides", "kernel_sizes")  # of the network
TUNED = "auto" in [
    config["postprocess"][key]
    for key in ("threshold", "min_volume_mm3", "keep_largest")
]
CALIBRATION_CASES = 8  # that the ranges of 8-bit integers are measured on


wildcard_constraints:
    case=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    fold=r"\d+",
    member=r"\d+(-repeat\d+)?",
    part=r"model|folds/\d+",


def code(script):
    """Hash of what a script and the modules that it imports do; comments and layout do not count."""
    return code_hash(SCRIPTS / script, SCRIPTS)


def code_of_templates():
    """Hash of the files that the report is made of; their layout counts, since it shows."""
    files = sorted((SCRIPTS / "ctseg" / "templates").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[
        :16
    ]


def step(*sections, **more):
    """The params of a step: config sections and single values in one dict, sorted by key."""
    merged = {
        key: value for section in sections for key, value in config[section].items()
    } | more
    return dict(sorted(merged.items()))


def memory_mb(gigabytes):
    """Memory request that grows with each attempt, times the config's factor."""
    return lambda wildcards, attempt: int(
        1024 * gigabytes * config["resources"]["memory_factor"] * attempt
    )


def minutes(first):
    """Run time request that grows with each attempt."""
    return lambda wildcards, attempt: first * attempt


def in_split(*splits):
    """Names of the cases in any of the splits, in the order of the case table."""
    return [case for case in CASES if SPLITS[case].split in splits]


def cases_to_train():
    """Cases that any fold trains or validates on."""
    return in_split("train", "val")


def cases_to_segment():
    """Cases that are segmented; with several folds every case outside of the test split is trained on."""
    return in_split(*config["infer"]["splits"])


def cases_to_measure():
    """Segmented cases that have a label to compare with."""
    return [case for case in cases_to_segment() if CASES[case].label is not None]


def cases_to_report():
    """All cases that the study uses, in the order of the case table."""
    used = set(cases_to_train()) | set(cases_to_segment())
    return [case for case in CASES if case in used]


def places_of(cases):
    """Split, fold and patient of each case, as the cohort's table names them."""
    patients = patients_of(cases)
    return {
        case: {
            "split": SPLITS[case].split,
            "fold": SPLITS[case].fold,
            "patient": patients[case],
        }
        for case in cases
    }


def reported_config():
    """What of the config decides on results; no path stands in it."""
    left_out = ("cases", "resources", "report", "compare_with")
    shown = {key: value for key, value in config.items() if key not in left_out}
    return shown | {"cases": {"source": config["cases"]["source"]}}


def patients_of(cases):
    """For each case a number that stands for its patient."""
    numbers = {}
    return {
        case: numbers.setdefault(CASES[case].patient, len(numbers)) for case in cases
    }


def other_metrics(wildcards):
    """The metrics of the study to compare with."""
    if not config["compare_with"]:
        raise WorkflowError(
            "name the study to compare with: snakemake compare --config compare_with=NAME"
        )
    return f"results/{config['compare_with']}/metrics/cases.tsv"


def groups_of(cases):
    """For each column of measure.groups the value of each case that has one."""
    return {
        column: {
            case: CASES[case].groups[column]
            for case in cases
            if column in CASES[case].groups
        }
        for column in config["measure"]["groups"]
    }


def case_table(case):
    """Split and fold of a case, as the metrics table names them."""
    return {"case": case, "split": SPLITS[case].split, "fold": SPLITS[case].fold}


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


def label_of(wildcards):
    """The label of a case as a named input, where it has one."""
    if CASES[wildcards.case].label is None:
        return {}
    return {"label": f"{RESULTS}/labels/{wildcards.case}.nii.gz"}


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


if not cases_to_measure() and not config["model"]:
    raise WorkflowError(
        f"none of the cases in infer.splits ({', '.join(config['infer']['splits'])}) has a label, so there is nothing to "
        "measure; add `test` or `val`, or give the table a `split` column"
    )
