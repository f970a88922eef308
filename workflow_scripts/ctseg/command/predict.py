"""`ctseg predict`: segmentation of one scan or several."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctseg.command.arguments import finite_number, number, whole_number
from ctseg.command.endings import DONE, REFUSED, SOME_REFUSED
from ctseg.command.given_scans import names_of, scans_in
from ctseg.command.outputs import (
    TABLE_OF_ALL,
    Outputs,
    is_folder,
    outputs_of,
    refuse_overwriting,
    refuse_same,
    try_writing,
)
from ctseg.command.progress import Progress
from ctseg.command.scan_table import Result, merged, read_rows, row_of, write_rows
from ctseg.errors import InputError

if TYPE_CHECKING:  # numpy and all that comes with it are not needed to show the help
    from ctseg.command.one_scan import Wanted
    from ctseg.inference.engines import Engine

MOST = 1024  # cores, and GiB of memory, as in a study


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", epilog: str) -> None:
    """Add the command and its arguments."""
    one = commands.add_parser(
        "predict",
        help="segment scans",
        description=run.__doc__,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("model", type=Path, help="model.onnx, or model.ts with --engine torch")
    one.add_argument(
        "scan",
        type=Path,
        nargs="+",
        help="a folder of DICOM slices, or a NIfTI, NRRD or MetaImage file; several, or a folder of them, where the "
        "output is a folder",
    )
    one.add_argument(
        "-o",
        "--output",
        required=True,
        help="label map to write, .nii.gz or .nii, with a .tsv beside; a folder (ending in /) for several scans",
    )
    one.add_argument("--engine", choices=["auto", "openvino", "onnxruntime", "torch"], default="auto")
    one.add_argument("--threads", type=whole_number(1, MOST), default=os.cpu_count(), help="cores to use (all)")
    one.add_argument(
        "--memory-gib", type=number(0.01, MOST), default=1.5, help="memory for windows, beside the scan (1.5)"
    )
    one.add_argument(
        "--gpu-memory-gib", type=number(0.25, MOST), help="memory of a GPU (8, or 60 %% of a smaller one's)"
    )
    one.add_argument(
        "--precision",
        choices=["float32", "tf32", "float16", "bfloat16"],
        help="of convolutions, where the engine can (the model's own choice)",
    )
    one.add_argument("--uncertainty", action="store_true", help="write a map of each voxel's entropy, too")
    one.add_argument(
        "--stability",
        action="store_true",
        help="tell how far the segmentation moves when the network's grid is shifted by half a voxel; takes five times "
        "as long",
    )
    one.add_argument(
        "--dicom",
        type=Path,
        metavar="FOLDER",
        help="for a DICOM series: write seg.dcm, rtstruct.dcm and report.dcm of its patient and study there, too; of "
        "several scans, each into a folder of its own there",
    )
    one.add_argument("--series-uid", help="which series to take, where a DICOM folder holds several")
    one.add_argument("--interpolate", action="store_true", help="accept missing or uneven DICOM slices")
    one.add_argument(
        "--rescale",
        type=finite_number,
        nargs=2,
        metavar=("SLOPE", "INTERCEPT"),
        help="give HU where the scan does not say how: of slices without a RescaleIntercept, or values that are not HU",
    )
    one.add_argument("-q", "--quiet", action="store_true", help="tell results, warnings and errors alone")
    one.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Segment scans and write for each the label map, the table of its components, and what else is asked for."""
    if is_folder(given.output):
        return _run_many(given)
    if len(given.scan) > 1:
        raise InputError(f"{len(given.scan)} scans need a folder as --output, for example {given.output}/")
    outputs = outputs_of(Path(given.output), given.uncertainty, given.stability, given.dicom)
    refuse_overwriting(given.scan[0], outputs.paths)
    try_writing(outputs.files)
    with Progress(given.quiet) as progress:
        progress.step(f"loading {given.model}")
        from ctseg.command.one_scan import segment_scan  # numpy and engines, which the help does not need

        engine, wanted = _prepared(given)
        found = segment_scan(given.scan[0], engine, wanted, outputs, progress)
    print(f"{found.in_words()} ({engine.name})")
    for path in found.files:
        print(f"wrote {path}")
    return DONE


def _run_many(given: argparse.Namespace) -> int:
    """Segment several scans into a folder, with a table of all scans."""
    folder = Path(given.output)
    if given.series_uid:
        raise InputError("--series-uid names a series of one scan; give this scan alone, with a file as --output")
    for path in given.scan:
        refuse_overwriting(path, [folder, *([given.dicom] if given.dicom else [])])
    scans = [scan for path in given.scan for scan in scans_in(path)]
    named = zip(names_of(scans), scans, strict=True)
    planned = {name: (scan, _outputs_in(folder, name, given)) for name, scan in named}
    table = folder / TABLE_OF_ALL
    refuse_same((outputs for _, outputs in planned.values()), table)
    try_writing([table, *(file for _, outputs in planned.values() for file in outputs.files)])
    earlier = read_rows(table)
    with Progress(given.quiet) as progress:
        progress.step(f"loading {given.model}")
        from ctseg.command.many_scans import lines, segment_scans

        engine, wanted = _prepared(given)

        def keep(results: Sequence[Result]) -> None:
            write_rows(merged(earlier, [row_of(result) for result in results]), engine.card.labels, table)

        results = segment_scans(planned, engine, wanted, progress, keep)
    print("\n".join(lines(results, engine.card.labels)))
    done = sum(result.found is not None for result in results)
    print(f"{done} of {len(results)} scans segmented ({engine.name}); wrote {table}")
    return DONE if done == len(results) else SOME_REFUSED if done else REFUSED


def _outputs_in(folder: Path, name: str, given: argparse.Namespace) -> Outputs:
    """The outputs of one of several scans."""
    dicom = given.dicom / name if given.dicom else None
    return outputs_of(folder / f"{name}.nii.gz", given.uncertainty, given.stability, dicom)


def _prepared(given: argparse.Namespace) -> "tuple[Engine, Wanted]":
    """The loaded engine, and the settings for reading and segmenting scans."""
    from ctseg.command.one_scan import Wanted
    from ctseg.file_hash import sha256_of
    from ctseg.inference.engines import load_engine

    engine = load_engine(given.model, given.threads, given.engine, given.precision)
    irregular = "resample" if given.interpolate else "refuse"
    model_hash = sha256_of(given.model) if given.dicom else ""
    return engine, Wanted(
        given.series_uid, irregular, given.rescale, given.memory_gib, given.gpu_memory_gib, model_hash
    )
