"""`ctseg init`: a study file for a folder of data."""

import argparse
from pathlib import Path

from ctseg.command.endings import DONE
from ctseg.command.outputs import try_writing
from ctseg.errors import ConfigError, InputError

FEWEST = 2  # cases with a label that a training needs: one trains, one validates


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", epilog: str) -> None:
    """Add the command and its arguments."""
    one = commands.add_parser(
        "init",
        help="write a study file for a folder of data",
        description=run.__doc__,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("folder", help="scans and labels: DICOM, files, or a data set of nnU-Net or the Decathlon")
    one.add_argument("-o", "--output", type=Path, default=Path("study.yaml"), help="file to write (study.yaml)")
    one.add_argument("--model", help="a model.onnx to segment with, instead of training one")
    one.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Look at a folder of data and write a study file with what was found there, and why."""
    from ctseg.files import write_text
    from ctseg.study.look import require_utf8
    from ctseg.study.look_at_folder import look_at
    from ctseg.study.study_file import study_text, table_text

    for path in (given.folder, given.output, given.model or ""):
        require_utf8(path)
    refuse_existing(given.output)
    try_writing([given.output])
    if given.model and not Path(given.model).is_file():
        raise InputError(f"--model {given.model} is not a file")
    look = look_at(given.folder, print)
    if not given.model and look.labelled < FEWEST:
        count = f"{look.labelled} of {look.scans}" if look.labelled else f"none of {look.scans}"
        raise ConfigError(
            f"{given.folder}: {count} scans found has a label, and a training needs {FEWEST}; to segment the scans "
            "with a model, add --model model.onnx; if there are labels, say where in a study of your own (docs/data.md)"
        )
    if look.rows:
        table = given.output.with_suffix(".tsv")
        refuse_existing(table)
        look.cases["table"] = str(table)
        write_text(table, table_text(look.rows, table))
    write_text(given.output, study_text(look, given.folder, given.model, str(given.output)))
    for reason in look.reasons:
        print(reason)
    print(f"wrote {given.output}: {look.scans} scans, {look.labelled} with a label; check it, and then run")
    print(f"  snakemake --cores all --configfile {given.output} -n")
    return DONE


def refuse_existing(path: Path) -> None:
    """Raise InputError if a file exists already."""
    if path.exists():
        raise InputError(f"{path} exists; give another file with --output, or remove it")
