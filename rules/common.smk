# Shared by all stages. The checked config, the cases with their splits, and small helpers. Functions live here and in
# inputs.smk alone.
# All of it runs each time the workflow is read, so it imports nothing heavy and opens no scan.
import hashlib
import sys

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
REQUIREMENTS = Path(workflow.basedir) / "requirements.txt"
SCHEMAS = Path(workflow.basedir) / "rules" / "schemas"
sys.path.insert(0, str(SCRIPTS))

from ctseg.study.archives import LUNG_VALUES
from ctseg.inference.case_settings import cases_per_job_of, gpus_of
from ctseg.study.cases import find_cases
from ctseg.provenance.code_hash import code_hashes
from ctseg.study.config import resolve_config
from ctseg.study.environment import check_environment, put_first
from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.study.notices import notices
from ctseg.study.pseudonyms import shown_names
from ctseg.jobs.refusals import read_refusal, reminder
from ctseg.study.splits import assign_splits, fold_cases, without_training

# Jobs import the library of this checkout, too, whatever else is installed in their environment.
put_first(SCRIPTS)
CODE = code_hashes(SCRIPTS, REQUIREMENTS, Path(".snakemake/ctseg/code.json"))
try:
    config = resolve_config(
        config,
        SCHEMAS / "config.schema.yaml",
        given=workflow.config_settings.overwrite_config,
    )
    STUDY = config["study"]
    RESULTS = f"results/{STUDY}"
    if workflow.is_main_process:
        check_environment(sys.executable, RESULTS, config["resources"]["free_disk_gib"])
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
    EXCLUDED = shown_names(
        config["cases"]["exclude"],
        CASES,
        Path(config["cases"]["key_file"]).expanduser(),
    )
    if config["model"]:
        SPLITS, FOLDS = without_training(list(CASES.values())), {}
    else:
        SPLITS = assign_splits(list(CASES.values()), config["split"])
        FOLDS = {
            fold: fold_cases(SPLITS, fold) for fold in range(config["split"]["folds"])
        }
except InputError as error:
    raise WorkflowError(str(error)) from None
if workflow.is_main_process:
    for line in notices(
        CASES.values(), config["cases"]["key_file"], not config["model"]
    ):
        print(f"ctseg: {line}", file=sys.stderr)
    if line := reminder(f"{RESULTS}/refused.tsv"):
        print(f"ctseg: {line}", file=sys.stderr)

LABELS = list(config["target"]["labels"])
# The model that is used, and what goes with it, wherever it comes from.
MODEL, TORCHSCRIPT = (f"{RESULTS}/model/model.{suffix}" for suffix in ("onnx", "ts"))
CARD = f"{RESULTS}/model/card.json"
CLEANING = f"{RESULTS}/model/postprocess.json"
INFERENCE = f"{RESULTS}/model/inference.json"
PROVENANCE = f"{RESULTS}/model/provenance.json"
# Whether a study ends without the cases that are refused.
GO_ON = int(
    config["cases"]["on_refusal"] == "go_on"
    or (config["cases"]["on_refusal"] == "auto" and bool(config["model"]))
)
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
# The plan is made where training runs if it follows from the memory there, and by the main process otherwise.
PLAN_FOLLOWS_DEVICE = config["plan"]["memory_gib"] == "auto" and "auto" in [
    config["plan"][key] for key in ("patch_size", "batch_size")
]
# What each job of inference asks for. No params: neither changes a result, but by the engine that it leads to.
INFER_GPUS, CASES_PER_JOB = gpus_of(config["infer"]), cases_per_job_of(config["infer"])
CALIBRATION_CASES = 8  # that the ranges of 8-bit integers are measured on


wildcard_constraints:
    case=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    fold=r"\d+",
    member=r"\d+(-repeat\d+)?",
    part=r"model|folds/\d+",


def code(script):
    """Hash of what a script and all of the library that it uses do; comments and layout do not count."""
    return CODE[script.removesuffix(".py")]


def code_of_templates():
    """Hash of the files that the report is made of; their layout counts, since it shows."""
    files = sorted((SCRIPTS / "ctseg" / "report" / "templates").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[
        :16
    ]


def step(*sections, **more):
    """The params of a step: config sections and single values in one dict, sorted by key."""
    merged = {
        key: value for section in sections for key, value in config[section].items()
    } | more
    return dict(sorted(merged.items()))


def stopping(path):
    """A param that runs a job again whose case was refused, where refusals are to stop the study since."""
    return {} if GO_ON or not read_refusal(path) else {"on_refusal": "stop"}


def passing(path):
    """An output that only later steps need, and that `keep: minimal` deletes after the last of them."""
    return temp(path) if config["keep"] == "minimal" else path


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


def cases_for_dicom():
    """Segmented cases whose scan is a DICOM series, where DICOM is wanted of them."""
    if not config["infer"]["dicom"]:
        return []
    return [
        case for case in cases_to_segment() if not is_volume_file(CASES[case].image)
    ]


def cases_to_report():
    """All cases that the study uses, in the order of the case table."""
    used = set(cases_to_train()) | set(cases_to_segment())
    return [case for case in CASES if case in used]


def cases_with_label():
    """Cases of the study whose label is used, in the order of the case table."""
    used = set(cases_to_train()) | set(cases_to_measure())
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
    left_out = ("cases", "keep", "resources", "report", "compare_with")
    shown = {key: value for key, value in config.items() if key not in left_out}
    return shown | {"cases": {"source": config["cases"]["source"]}}


def patients_of(cases):
    """For each case a number that stands for its patient."""
    numbers = {}
    return {
        case: numbers.setdefault(CASES[case].patient, len(numbers)) for case in cases
    }


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


if not cases_to_measure() and not config["model"]:
    raise WorkflowError(
        f"none of the cases in infer.splits ({', '.join(config['infer']['splits'])}) has a label, so there is nothing to "
        "measure; add `test` or `val`, or give the table a `split` column"
    )
