"""Check and completion of the config before all computation.

The schema defines the allowed values of each key, `config_checks` the conditions on several keys. All problems are
reported together, so that the user can correct them at once instead of one per run.
"""

from collections.abc import Mapping
from pathlib import Path

from ctseg.errors import ConfigError
from ctseg.study.config_checks import CHECKS, Config
from ctseg.study.schema import fill_defaults, find_problems, read_schema, read_texts


def resolve_config(config: Mapping, schema_path: str | Path, given: Mapping | None = None) -> Config:
    """Checked copy of `config`, with the schema's default for each missing key and numbers converted from text.

    `given` is the config of the study file and the command line before Snakemake merged it into config.yaml. Snakemake
    merges mappings key by key, which would keep the phantom's label among the labels of a study that names its own. So
    mappings with free names (such as `target.labels`) are taken as a whole from `given` if they exist there.

    Raises ConfigError that names all problems, one per line.
    """
    schema = read_schema(schema_path)
    resolved = read_texts(fill_defaults(config, schema, given), schema)
    problems = find_problems(resolved, schema)
    broken = [problem.key for problem in problems]
    for keys, check in CHECKS:
        if not any(_touches(key, other) for key in keys for other in broken):
            problems.extend(check(resolved))
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise ConfigError("\n  ".join([f"the config has {count}:", *map(str, problems)]))
    return resolved


def _touches(key: str, other: str) -> bool:
    """Whether two keys are equal or one contains the other, as `plan` contains `plan.patch_size[0]`."""
    short, long = sorted((key, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))
