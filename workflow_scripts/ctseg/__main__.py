"""The command line: `ctseg predict MODEL SCAN --output OUT.nii.gz` segments one scan with a model."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.version import VERSION

if TYPE_CHECKING:  # numpy and all that comes with it are not needed to show the help
    from ctseg.dicom_export.findings import Findings
    from ctseg.geometry.volume import Volume
    from ctseg.inference.engines import Engine

SUFFIXES = (".nii.gz", ".nii")


def predict(given: argparse.Namespace) -> None:
    """Segment a scan and write the label map, the table of its components, and what else is asked for."""
    from tqdm import tqdm

    from ctseg.dicom_export.findings import Findings
    from ctseg.evaluation.quality_flags import quality_flags
    from ctseg.file_hash import sha256_of
    from ctseg.inference.engines import load_engine
    from ctseg.inference.predict import predict
    from ctseg.masks.components import write_components
    from ctseg.plurals import counted
    from ctseg.scans.nifti import write_nifti
    from ctseg.scans.read_scan import read_scan
    from ctseg.scans.scan_warnings import passed_over

    paths = outputs(given)
    if given.dicom and is_volume_file(given.scan):
        raise InputError(f"--dicom needs a DICOM series to refer to; {given.scan} is a file of another format")
    refuse_overwriting(given.scan, paths.values())
    engine = load_engine(given.model, given.threads, given.engine, given.precision)
    irregular = "resample" if given.interpolate else "refuse"
    scan = read_scan(given.scan, given.series_uid, irregular=irregular, rescale=given.rescale)
    tell(passed_over(scan.facts) + scan.facts["warnings"])
    with tqdm(desc=engine.name, unit="row", disable=None, leave=False) as bar:

        def progress(done: int, rows: int) -> None:
            bar.total = rows
            bar.update(done - bar.n)

        found = predict(scan.volume, engine, given.memory_gib, given.uncertainty, progress, given.gpu_memory_gib)
    flags = quality_flags(scan.facts, engine.card, None, found.components)
    tell(flag for flag in flags if flag not in scan.facts["warnings"])
    write_nifti(found.segmentation, given.output)
    write_components(found.components, list(engine.card.labels), paths["table"])
    if found.entropy:
        write_nifti(found.entropy, paths["uncertainty"])
    if given.stability:
        how = {"memory_gib": given.memory_gib, "gpu_memory_gib": given.gpu_memory_gib}
        write_stability(scan.volume, found.segmentation, engine, how, paths["stability"])
    if given.dicom:
        write_dicom(given, Findings(found.segmentation, engine.card.labels, found.components, sha256_of(given.model)))
    volume_cm3 = sum(row["volume_cm3"] for row in found.components)
    print(f"{given.output}: {counted(len(found.components), 'component')}, {volume_cm3:.2f} cm³ ({engine.name})")


def tell(lines: Iterable[str]) -> None:
    """Show what a user should know of the scan or of what was found."""
    for line in lines:
        print(f"ctseg: {line}", file=sys.stderr)


def write_dicom(given: argparse.Namespace, findings: "Findings") -> None:
    """Write the DICOM objects for the series that was segmented."""
    from ctseg.dicom.series import choose_stack
    from ctseg.dicom_export.write import write_objects

    write_objects(given.dicom, choose_stack(given.scan, given.series_uid), findings)


def write_stability(
    image: "Volume", segmentation: "Volume", engine: "Engine", how: dict[str, float | None], path: Path
) -> None:
    """Write and print how far the segmentation of an image moves when the network's grid does."""
    from ctseg.evaluation.stability import COLUMNS, stability, told
    from ctseg.files import write_table
    from ctseg.lungs.segment import segment_lungs

    found = segment_lungs(image, engine.card.lungs) if engine.card.preparation.region == "lungs" else None
    plausible = found is not None and bool(found.facts["plausible"])
    rows = stability(segmentation, image, found.lungs if found else None, plausible, engine, **how)
    write_table(path, COLUMNS, rows)
    for row in rows:
        print(told(row))


def outputs(given: argparse.Namespace) -> dict[str, Path]:
    """What will be written where; of DICOM objects, their folder."""
    stem = without_suffix(given.output)
    paths = {"mask": given.output, "table": stem.with_name(f"{stem.name}.tsv")}
    if given.uncertainty:
        paths["uncertainty"] = stem.with_name(f"{stem.name}_uncertainty.nii.gz")
    if given.stability:
        paths["stability"] = stem.with_name(f"{stem.name}_stability.tsv")
    return paths | ({"dicom": given.dicom} if given.dicom else {})


def refuse_overwriting(scan: Path, paths: Iterable[Path]) -> None:
    """Raise InputError if anything would be written over the scan or among its slices."""
    place = scan.resolve()
    for path in paths:
        if place in (path.resolve(), *path.resolve().parents):
            raise InputError(f"{path} would be written over the scan {scan} or into its folder; give another output")


def without_suffix(output: Path) -> Path:
    """The output without .nii or .nii.gz. Raises InputError for another name."""
    for suffix in SUFFIXES:
        if output.name.endswith(suffix):
            return output.with_name(output.name.removesuffix(suffix))
    raise InputError(f"--output {output} should end in .nii.gz or .nii")


def parser() -> argparse.ArgumentParser:
    """What can be given on the command line."""
    whole = argparse.ArgumentParser(prog="ctseg", description="Segment CT scans with a model of ctseg.")
    whole.add_argument("--version", action="version", version=f"ctseg {VERSION}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("predict", help="segment one scan", description=predict.__doc__)
    one.add_argument("model", type=Path, help="model.onnx, or model.ts with --engine torch")
    one.add_argument("scan", type=Path, help="a folder of DICOM slices, or a NIfTI, NRRD or MetaImage file")
    one.add_argument(
        "-o", "--output", type=Path, required=True, help="label map to write, .nii.gz or .nii; a .tsv beside"
    )
    one.add_argument("--engine", choices=["auto", "openvino", "onnxruntime", "torch"], default="auto")
    one.add_argument("--threads", type=int, default=os.cpu_count(), help="cores to use (all)")
    one.add_argument("--memory-gib", type=float, default=1.5, help="memory for windows, beside the scan (1.5)")
    one.add_argument("--gpu-memory-gib", type=float, help="memory of a GPU (8, or 60 %% of a smaller one's)")
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
        help="for a DICOM series: write seg.dcm, rtstruct.dcm and report.dcm of its patient and study there, too",
    )
    one.add_argument("--series-uid", help="which series to take, where a DICOM folder holds several")
    one.add_argument("--interpolate", action="store_true", help="accept missing or uneven DICOM slices")
    one.add_argument(
        "--rescale",
        type=float,
        nargs=2,
        metavar=("SLOPE", "INTERCEPT"),
        help="give HU where the scan does not say how: of slices without a RescaleIntercept, or values that are not HU",
    )
    one.set_defaults(run=predict)
    return whole


def main() -> None:
    """Run the command; what is wrong with its input is told in one line."""
    given = parser().parse_args()
    try:
        given.run(given)
    except InputError as error:
        sys.exit(f"ctseg: {error}")
    except MemoryError:
        sys.exit(
            "ctseg: the machine has too little free memory for this scan; lower --memory-gib, or give a smaller part"
        )


if __name__ == "__main__":
    main()
