"""Accuracy of the lung field by threshold, network and auto, on healthy lungs and lungs with simulated diseases.

    python benchmarks/lung_field.py OUT --phantoms 8 --chests SCAN… --without-lungs SCAN…

writes `OUT/lung_field.tsv`, one row per case and method, and prints the means. The phantoms have a seed that was not
used for training; do not give scans of `ctseg.lung_training.public_scans`. The reference of a real chest is the field
of the threshold method, so its lungs must be healthy; diseases are then simulated in them. For scans without lungs,
`volume_cm3` is the volume of the (wrong) lung field.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.geometry.volume import Grid, Volume  # noqa: E402
from ctseg.lung_training.bodies import Body, draw_body  # noqa: E402
from ctseg.lung_training.made_cases import MadeCase, negative_cases, sick_case  # noqa: E402
from ctseg.lung_training.random_fields import SPACING_MM  # noqa: E402
from ctseg.lung_training.real_bodies import read_body  # noqa: E402
from ctseg.lung_training.sickness import SICKNESSES  # noqa: E402
from ctseg.lungs.segment import segment_lungs  # noqa: E402
from ctseg.masks.overlap import dice_of_masks  # noqa: E402
from ctseg.scans.nifti import read_nifti  # noqa: E402

SEED = 77
METHODS = ("threshold", "network", "auto")
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
LARGE_ZYX = (300, 512, 512)  # size of the scan for the time measurement


def made(bodies: dict[str, Body], versions: int) -> Iterator[tuple[str, MadeCase]]:
    """Name and case of each body: one healthy case, and `versions` cases with each single sickness."""
    for number, (name, body) in enumerate(bodies.items()):
        for place, sickness in enumerate(["healthy", *SICKNESSES]):
            for version in range(1 if sickness == "healthy" else versions):
                rng = np.random.default_rng([SEED, number, place, version])
                yield name, sick_case(rng, body, [] if sickness == "healthy" else [sickness])


def volume_of(voxels_zyx: np.ndarray) -> Volume:
    """Volume of a made image in HU, with the spacing of the lung network's training."""
    shape = voxels_zyx.shape
    return Volume(voxels_zyx, Grid(shape, (SPACING_MM,) * 3, (0.0, 0.0, 0.0), IDENTITY))


def rows(name: str, case: MadeCase, image: Volume) -> Iterator[dict[str, object]]:
    """Table rows of a case, one per method: Dice, share of the added tissue inside the field, and facts."""
    truth, added = case.sides_zyx > 0, case.added_zyx > 0
    for method in METHODS:
        lungs, facts = segment_lungs(image, method)
        found = lungs.voxels_zyx > 0
        inside = np.count_nonzero(found & added) / np.count_nonzero(added) if added.any() else np.nan
        told = {key: facts.get(key) for key in ("volume_cm3", "plausible", "agreement")}
        yield {
            "case": name,
            "kind": case.kind,
            "method": method,
            "dice": dice_of_masks(truth, found),
            "added_inside": inside,
            "used": facts.get("method", method),
            **told,
        }


def of_real_scan(path: Path) -> Iterator[dict[str, object]]:
    """Table rows of a real scan without lungs, one per method."""
    image = read_nifti(path)
    for method in METHODS:
        facts = segment_lungs(image, method).facts
        told = {key: facts.get(key) for key in ("volume_cm3", "plausible", "agreement")}
        yield {"case": path.parent.name, "kind": "real, without lungs", "method": method, "dice": np.nan, **told}


def timed() -> str:
    """CPU time and peak memory of each method on a large phantom scan, as text."""
    body = draw_body(np.random.default_rng([SEED, 0]))
    pairs = list(zip(body.hu.shape, LARGE_ZYX, strict=True))
    at = [np.linspace(0, size - 1, large).round().astype(int) for size, large in pairs]
    spacing = tuple(SPACING_MM * size / large for size, large in pairs[::-1])
    voxels = body.hu[np.ix_(*at)].astype(np.int16)
    image = Volume(voxels, Grid(voxels.shape, spacing, (0.0, 0.0, 0.0), IDENTITY))  # type: ignore[arg-type]
    lines = []
    for method in METHODS:
        start = time.process_time()
        segment_lungs(image, method)
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        lines.append(f"{method}: {seconds:.2f} s of CPU time, {peak:.0f} MiB at most so far")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the table and print the means."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--phantoms", type=int, default=8)
    arguments.add_argument("--versions", type=int, default=2, help="of each sickness of a real chest")
    arguments.add_argument("--chests", type=Path, nargs="*", default=[])
    arguments.add_argument("--without-lungs", type=Path, nargs="*", default=[])
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print(timed(), flush=True)
    phantoms = {f"phantom-{n}": draw_body(np.random.default_rng([SEED, n])) for n in range(given.phantoms)}
    chests = {path.parent.name: read_body(path) for path in given.chests}
    table: list[dict[str, object]] = []
    for bodies, versions in ((phantoms, 1), (chests, given.versions)):
        for name, case in made(bodies, versions):
            table += rows(name, case, volume_of(case.image_zyx))
    for number, case in enumerate(negative_cases(SEED, 12, [])):
        table += rows(f"made-{number}", case, volume_of(case.image_zyx))
    for path in given.without_lungs:
        table += of_real_scan(path)
    found = pd.DataFrame(table)
    found.to_csv(given.out / "lung_field.tsv", sep="\t", index=False, float_format="%.4f")
    found["of"] = np.where(found["case"].str.startswith(("phantom", "made")), "phantoms", "real scans")
    means = found.groupby(["of", "kind", "method"])[["dice", "added_inside", "volume_cm3", "plausible"]].mean()
    print(means.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
