# Shared by all stages: the checked config, the study, and the few helpers of all rules.
# All of it runs each time the workflow is read, so it imports nothing heavy and opens no scan. Snakemake calls each
# function among a rule's inputs, params and resources once a job, which costs more than all else that it says. What
# is the same for all cases is a constant. A message is formatted for each job, too: of rules for each case only those
# have one that take the user's files, since Snakemake's log would name these files otherwise.
import sys

# Of this file, so that another workflow may use this one as a module.
CHECKOUT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SCRIPTS = CHECKOUT / "workflow_scripts"
REQUIREMENTS = CHECKOUT / "requirements.txt"
SCHEMAS = CHECKOUT / "rules" / "schemas"
sys.path.insert(0, str(SCRIPTS))

from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from ctseg.errors import InputError
from ctseg.inference.case_settings import cases_per_job_of, gpus_of
from ctseg.jobs.refusals import read_refusal, reminder
from ctseg.provenance.code_hash import code_hashes
from ctseg.study.config import resolve_config
from ctseg.study.environment import check_environment, put_first
from ctseg.study.notices import notices
from ctseg.study.records import reported_config, source_files
from ctseg.study.study import Study

# Jobs import the library of this checkout, too, whatever else is installed in their environment.
put_first(SCRIPTS)
CODE = code_hashes(SCRIPTS, REQUIREMENTS, Path(".snakemake/ctseg/code.json"))
GIVEN, DEFAULTS = workflow.config_settings.overwrite_config, load_configfile(
    CHECKOUT / "config.yaml"
)
if DEFAULTS.keys() - config.keys():
    # Of a module, Snakemake takes the config of the workflow that uses it, without this config.yaml.
    GIVEN = config
    config = DEFAULTS
    update_config(config, GIVEN)
try:
    config = resolve_config(config, SCHEMAS / "config.schema.yaml", given=GIVEN)
    RESULTS = f"results/{config['study']}"
    if workflow.is_main_process:
        check_environment(sys.executable, RESULTS, config["resources"]["free_disk_gib"])
    STUDY = Study.read(config, Path.cwd(), SCHEMAS / "cases.schema.yaml")
except InputError as error:
    raise WorkflowError(str(error)) from None
if workflow.is_main_process:
    for line in notices(
        STUDY.cases.values(), config["cases"]["key_file"], STUDY.trains
    ):
        print(f"ctseg: {line}", file=sys.stderr)
    if line := reminder(f"{RESULTS}/refused.tsv"):
        print(f"ctseg: {line}", file=sys.stderr)

LABELS = list(config["target"]["labels"])
# The model that is used, and what goes with it, wherever it comes from.
MODEL, TORCHSCRIPT = (f"{RESULTS}/model/model.{suffix}" for suffix in ("onnx", "ts"))
CARD = f"{RESULTS}/model/card.json"
POSTPROCESSING = f"{RESULTS}/model/postprocess.json"
INFERENCE = f"{RESULTS}/model/inference.json"
PROVENANCE = f"{RESULTS}/model/provenance.json"
SHIPPED_TORCHSCRIPT = (
    {"torchscript": TORCHSCRIPT} if STUDY.trains or STUDY.torchscript else {}
)
# What each job of inference asks for. No params: neither changes a result, but by the engine that it leads to.
INFER_GPUS, CASES_PER_JOB = gpus_of(config["infer"]), cases_per_job_of(config["infer"])
# Whether a job that fails is submitted again with more of everything; on one machine it would change nothing.
SUBMITTED = workflow.resource_settings.nodes is not None


wildcard_constraints:
    case=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    fold=r"\d+",
    member=r"\d+(-repeat\d+)?",
    part=r"model|folds/\d+",


def code(script):
    """Hash of what a script and all of the library that it uses do; comments and layout do not count."""
    return CODE[script.removesuffix(".py")]


def settings(*sections, own=(), **more):
    """The params of a rule: config sections and single values in one dict, sorted by key.

    `own` are functions that give what a case has of its own; without any, all jobs of the rule have the same dict.
    """
    shared = {
        key: value for section in sections for key, value in config[section].items()
    }

    def together(*parts):
        merged = {key: value for part in parts for key, value in part.items()}
        return dict(sorted(merged.items()))

    if not own:
        return together(shared, more)
    return lambda wildcards: together(
        shared, more, *(part(wildcards.case) for part in own)
    )


def stopping(cases, pattern):
    """A param that runs a job again whose case was refused, where refusals are to stop the study since."""
    if (
        STUDY.goes_on
        or not workflow.is_main_process
        or not any(read_refusal(pattern.format(case=case)) for case in cases)
    ):
        return []
    stop = {"on_refusal": "stop"}
    return [lambda case: stop if read_refusal(pattern.format(case=case)) else {}]


def of_some(name, files):
    """An input that only some cases have, by the case's name; no function where none has it."""
    if not files:
        return []
    found = {case: {name: path} for case, path in files.items()}
    return [unpack(lambda wildcards: found.get(wildcards.case, {}))]


def passing(path):
    """An output that only later rules need, and that `keep: minimal` deletes after the last of them."""
    if config["keep"] != "minimal":
        return path
    PASSING.append(path)
    return temp(path)


PASSING = (
    []
)  # patterns of the outputs that are deleted, for the rule that looks for what is missing


def memory_mb(gigabytes):
    """Memory request times the config's factor, which grows with each attempt to run a submitted job."""
    first = 1024 * gigabytes * config["resources"]["memory_factor"]
    return (
        (lambda wildcards, attempt: int(first * attempt)) if SUBMITTED else int(first)
    )


def minutes(first):
    """Run time request, which grows with each attempt to run a submitted job."""
    return (lambda wildcards, attempt: first * attempt) if SUBMITTED else first
