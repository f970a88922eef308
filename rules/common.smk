# Shared by all stages: the checked config, the study, and helper functions for the rules.
# This file runs each time the workflow is read, so it imports no slow modules and opens no scan. Snakemake calls each
# function in the inputs, params and resources of a rule once per job, which takes more time than all other parts of the
# rule. So values that are the same for all cases are constants. A message is also formatted for each job. So of the
# rules with one job per case, only those that read the user's files have a message: without it, Snakemake's log would
# name these files.
import sys

# Found from this file, so that another workflow can use this one as a module.
CHECKOUT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SCRIPTS = CHECKOUT / "workflow_scripts"
REQUIREMENTS = CHECKOUT / "requirements.txt"
SCHEMAS = CHECKOUT / "rules" / "schemas"
sys.path.insert(0, str(SCRIPTS))

from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from ctseg.errors import InputError
from ctseg.hardware import limits_of_jobs
from ctseg.inference.case_settings import cases_per_job_of, gpus_of
from ctseg.jobs.refusals import read_refusal, reminder
from ctseg.provenance.code_hash import code_hashes
from ctseg.scans.voxel_files import has_voxel_file, voxel_file
from ctseg.study.config import resolve_config
from ctseg.study.environment import check_environment, put_first
from ctseg.study.notices import notices
from ctseg.study.records import reported_config, source_files
from ctseg.study.study import Study

# Jobs also import the library of this checkout, even if another one is installed in their environment.
put_first(SCRIPTS)
CODE = code_hashes(SCRIPTS, REQUIREMENTS, Path(".snakemake/ctseg/code.json"))
GIVEN, DEFAULTS = workflow.config_settings.overwrite_config, load_configfile(
    CHECKOUT / "config.yaml"
)
if DEFAULTS.keys() - config.keys():
    # For a module, Snakemake takes the config of the workflow that uses it, without this config.yaml.
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
# Whether jobs are submitted to other machines, so that a retry can request more; on one machine this has no effect.
SUBMITTED = workflow.resource_settings.nodes is not None
if workflow.is_main_process:
    if not SUBMITTED:
        # Without a limit, as many jobs would start as there are cores, whatever memory they request. A workflow that
        # uses this one as a module does not load profiles/default either.
        for name, most in limits_of_jobs().items():
            # `--resources mem=16GB` is another name of mem_mb.
            if not {name, name.removesuffix("_mb")} & set(workflow.global_resources):
                workflow.register_resource(name, most)
    LIMITS = {name: limit.value for name, limit in workflow.global_resources.items()}
    for line in notices(STUDY, GIVEN, LIMITS, SUBMITTED):
        print(f"ctseg: {line}", file=sys.stderr)
    if line := reminder(f"{RESULTS}/refused.tsv"):
        print(f"ctseg: {line}", file=sys.stderr)

LABELS = list(config["target"]["labels"])
# The files of the model that is used, trained or given.
MODEL, TORCHSCRIPT = (f"{RESULTS}/model/model.{suffix}" for suffix in ("onnx", "ts"))
CARD = f"{RESULTS}/model/card.json"
POSTPROCESSING = f"{RESULTS}/model/postprocess.json"
INFERENCE = f"{RESULTS}/model/inference.json"
PROVENANCE = f"{RESULTS}/model/provenance.json"
SHIPPED_TORCHSCRIPT = (
    {"torchscript": TORCHSCRIPT} if STUDY.trains or STUDY.torchscript else {}
)
# Requests of each inference job. Not in the params: they change a result only through the engine that they lead to.
INFER_GPUS, CASES_PER_JOB = gpus_of(config["infer"]), cases_per_job_of(config["infer"])


wildcard_constraints:
    case=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    fold=r"\d+",
    member=r"\d+(-repeat\d+)?",
    part=r"model|folds/\d+",


def code(script):
    """Hash of the code of a script and of the library code that it uses; comments and layout do not change it."""
    return CODE[script.removesuffix(".py")]


def settings(*sections, own=(), **more):
    """The params of a rule: config sections and single values in one dict, sorted by key.

    `own` are functions from the name of a case to params of this case; with them, the result is a function of the
    wildcards, and without them, all jobs of the rule have the same dict.
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
    """Functions for `own` that run the jobs of refused cases again, if refusals now stop the study; else none."""
    if (
        STUDY.goes_on
        or not workflow.is_main_process
        or not any(read_refusal(pattern.format(case=case)) for case in cases)
    ):
        return []
    stop = {"on_refusal": "stop"}
    return [lambda case: stop if read_refusal(pattern.format(case=case)) else {}]


def of_some(name, files):
    """List with an input function for a file that only some cases have; empty if no case has it."""
    if not files:
        return []
    found = {case: {name: path} for case, path in files.items()}
    return [unpack(lambda wildcards: found.get(wildcards.case, {}))]


def voxels_of(name, files):
    """List with an input function for the voxels of headers (.mhd, .nhdr) among the files of cases, else empty."""
    headers = {case: path for case, path in files.items() if has_voxel_file(path)}
    if not headers:
        return []

    def found(wildcards):
        path = voxel_file(headers.get(wildcards.case, ""))
        return {name: path} if path else {}

    return [unpack(found)]


def passing(path):
    """An output that only later rules need; with `keep: minimal` it is deleted after the last of them."""
    if config["keep"] != "minimal":
        return path
    PASSING.append(path)
    return temp(path)


PASSING = (
    []
)  # patterns of the deleted outputs, for the rule verify, which looks for missing files


def memory_mb(gigabytes):
    """Memory request, 1024 × `gigabytes` × the config's factor; grows with each attempt if jobs are submitted."""
    first = 1024 * gigabytes * config["resources"]["memory_factor"]
    return (
        (lambda wildcards, attempt: int(first * attempt)) if SUBMITTED else int(first)
    )


def minutes(first):
    """Run time request in minutes; grows with each attempt if jobs are submitted."""
    return (lambda wildcards, attempt: first * attempt) if SUBMITTED else first
