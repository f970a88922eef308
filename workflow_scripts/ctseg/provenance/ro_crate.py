"""A study as a Workflow Run RO-Crate: its results and their provenance, in a form that research archives read.

The crate is the study's own folder, with a file `ro-crate-metadata.json` in it after the profile Provenance Run Crate
0.5 (https://w3id.org/ro/wfrun/provenance/0.5): a step for each rule, an action for each job. The user's own scans and
labels are not part of it; it has only case, input name, SHA-256 and size of each.
"""

import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from ctseg.provenance.manifest import source_key

VERSION = "1.1"  # of RO-Crate, on which the run profiles are based
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
LICENCE = "https://spdx.org/licenses/MIT"  # of ctseg itself
MEDIA_TYPES = {".gz": "application/gzip", ".md": "text/markdown", ".tsv": "text/tab-separated-values"}
DONE = "http://schema.org/CompletedActionStatus"


def study_crate(manifest: Mapping[str, Any], study: Path, workflow: str, licence: str) -> ROCrate:
    """The crate of the results in the folder `study`.

    `workflow` is its subfolder with the workflow's own files, with a slash at the end. `licence` is the licence of the
    results, in words or as a URL.
    """
    crate = ROCrate(version=VERSION)
    jobs = manifest["jobs"]
    main = _workflow(crate, workflow, manifest)
    tools = {
        rule: _tool(crate, workflow, rule, code)
        for rule, code in sorted({job["rule"]: job["code"] for job in jobs}.items())
    }
    steps = {rule: _step(crate, position, rule, tools[rule]) for position, rule in enumerate(_in_order(jobs), 1)}
    main["hasPart"], main["step"] = list(tools.values()), list(steps.values())

    made = {path: _result(crate, study, path, facts) for job in jobs for path, facts in job["outputs"].items()}
    given = {key: _source(crate, key, facts) for job in jobs for key, facts in _sources(job)}
    actions, controls = [], []
    for job in jobs:
        taken = [made[path] for path in job["inputs"]] + [given[key] for key, _ in _sources(job)]
        actions.append(_action(crate, job, tools[job["rule"]], taken, [made[path] for path in job["outputs"]]))
        controls.append(_control(crate, job, steps[job["rule"]], actions[-1]))

    run = _run(crate, manifest, main, list(given.values()), list(made.values()))
    engine = {"name": "Snakemake", "version": " ".join(manifest["software"]["snakemake"])}
    organised = {
        "name": "Run of Snakemake",
        "instrument": _add(
            crate, "#snakemake", "SoftwareApplication", {**engine, "url": "https://snakemake.github.io"}
        ),
        "object": controls,
        "result": run,
    }
    _add(crate, "#engine-run", "OrganizeAction", organised)
    _root(crate, manifest, licence, [run, *actions])
    return crate


def _add(crate: ROCrate, name: str, kind: str, properties: dict[str, Any]) -> Entity:
    """Add an entity that is not a file of the crate. A list of one item becomes the item, as RO-Crate expects."""
    single = {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in properties.items()
    }
    return crate.add(ContextEntity(crate, name, properties={"@type": kind, **single}))


def _in_order(jobs: list[dict[str, Any]]) -> list[str]:
    """The rules in the order in which their first jobs started."""
    return list(dict.fromkeys(job["rule"] for job in sorted(jobs, key=lambda job: (job["started"], job["ended"]))))


def _job_name(job: Mapping[str, Any]) -> str:
    return "/".join([job["rule"], *map(str, job["wildcards"].values())])


def _sources(job: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Key, and hash and size, of each of the user's files that a job read."""
    return [(source_key(job, name), facts) for name, contents in job["sources"].items() for facts in contents]


def _workflow(crate: ROCrate, folder: str, manifest: Mapping[str, Any]) -> Entity:
    """Entity of the workflow itself, the main entity of the crate."""
    properties = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "ctseg",
        "license": LICENCE,
    }
    main = crate.add_workflow(dest_path=f"{folder}Snakefile", main=True, lang="snakemake", properties=properties)
    if manifest["workflow"]["revision"]:
        main["version"] = manifest["workflow"]["revision"]
    return main


def _tool(crate: ROCrate, folder: str, rule: str, code: str) -> Entity:
    """The script of a rule; its version is the hash of all code that it reaches."""
    properties = {
        "@type": ["File", "SoftwareSourceCode"],
        "name": rule,
        "version": code,
        "programmingLanguage": "Python",
        "encodingFormat": "text/x-python",
    }
    return crate.add_file(dest_path=f"{folder}workflow_scripts/{rule}.py", properties=properties)


def _step(crate: ROCrate, position: int, rule: str, tool: Entity) -> Entity:
    """The rule as a step of the workflow."""
    return _add(crate, f"#step/{rule}", "HowToStep", {"name": rule, "position": str(position), "workExample": tool})


def _result(crate: ROCrate, study: Path, path: str, facts: Mapping[str, Any]) -> Entity:
    """Entity of a file or folder that a job wrote; a CreativeWork if it was deleted since."""
    properties = {"name": path, "sha256": facts["sha256"], "contentSize": str(facts["bytes"])}
    if not (study / path).exists():
        return _add(crate, f"#gone/{path}", "CreativeWork", properties)
    if "files" in facts:
        return crate.add_dataset(dest_path=f"{path}/", properties=properties)
    return crate.add_file(dest_path=path, properties={**properties, "encodingFormat": _media_type(path)})


def _media_type(path: str) -> str:
    """The media type of a result; application/octet-stream if its suffix has no known type."""
    return MEDIA_TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _source(crate: ROCrate, key: str, facts: Mapping[str, Any]) -> Entity:
    """Entity of a scan, label or model of the user, which is not part of the crate."""
    properties = {"name": key, "sha256": facts["sha256"], "contentSize": str(facts["bytes"])}
    return _add(crate, f"#given/{key}", "CreativeWork", properties)


def _action(crate: ROCrate, job: Mapping[str, Any], tool: Entity, taken: list[Entity], made: list[Entity]) -> Entity:
    """Action of a job; the description has its command, code hash, params, machine, software and threads."""
    properties = {
        "name": _job_name(job),
        "description": json.dumps(
            {name: job[name] for name in ("command", "code", "params", "machine", "software", "threads")}
        ),
        "instrument": tool,
        "object": taken,
        "result": made,
        "startTime": job["started"],
        "endTime": job["ended"],
        "actionStatus": DONE,
    }
    return _add(crate, f"#job/{_job_name(job)}", "CreateAction", properties)


def _control(crate: ROCrate, job: Mapping[str, Any], step: Entity, action: Entity) -> Entity:
    """Control action that links a step to the action of its job."""
    properties = {"name": f"Step of {_job_name(job)}", "instrument": step, "object": action, "actionStatus": DONE}
    return _add(crate, f"#control/{_job_name(job)}", "ControlAction", properties)


def _run(crate: ROCrate, manifest: Mapping[str, Any], main: Entity, given: list[Entity], made: list[Entity]) -> Entity:
    """The run of the whole workflow, with its config."""
    times = sorted(job[when] for job in manifest["jobs"] for when in ("started", "ended"))
    config = _add(
        crate, "#config", "PropertyValue", {"name": "config", "value": json.dumps(manifest["config"], sort_keys=True)}
    )
    properties = {
        "name": f"Run of ctseg for the study {manifest['study']}",
        "description": "All jobs that led to the study's results, with its config.",
        "instrument": main,
        "object": [config, *given],
        "result": made,
        "startTime": times[0],
        "endTime": times[-1],
        "actionStatus": DONE,
    }
    return _add(crate, "#run", "CreateAction", properties)


def _root(crate: ROCrate, manifest: Mapping[str, Any], licence: str, actions: list[Entity]) -> None:
    """Set name, description, licence, date, profiles and actions of the crate."""
    crate.metadata.extra_contexts.append(TERMS)
    crate.name = f"ctseg study {manifest['study']}"
    crate.description = "CT scans segmented by a 3-D U-Net: the model, its results, and how both were made."
    crate.license = licence
    crate.datePublished = max(job["ended"] for job in manifest["jobs"])
    crate.root_dataset["conformsTo"] = [
        _add(crate, url, "CreativeWork", {"name": name, "version": version})
        for url, (name, version) in PROFILES.items()
    ]
    crate.root_dataset["mentions"] = actions
