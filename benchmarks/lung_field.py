"""Accuracy of the lung field by threshold, network and auto, on healthy lungs and lungs with simulated diseases.

    python benchmarks/lung_field.py OUT --phantoms 8 --chests SCAN… --tumours MASK… --without-lungs SCAN…

writes `OUT/lung_field.tsv`, one row per case and method, and prints means. The phantoms have a seed that was not used
for training; do not give scans of `ctseg.lung_training.public_scans`. The reference of a real chest is the field of the
threshold method, so its lungs must be healthy but for a tumour, class 1 of its mask, which belongs to the reference.
Diseases are simulated in a chest twice: on its own voxels, and in bent, cropped, noisy versions with voxels of 3 mm,
for which the reference is less exact. Scans that show less than 800 cm³ of lungs have no plausible field by definition
and are listed apart. For scans without lungs, `volume_cm3` is the volume of the (wrong) lung field.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.geometry.resample import resample  # noqa: E402
from ctseg.geometry.volume import AIR_HU, Grid, Volume  # noqa: E402
from ctseg.lung_training.bodies import Body, draw_body  # noqa: E402
from ctseg.lung_training.made_cases import MadeCase, negative_cases, sick_case  # noqa: E402
from ctseg.lung_training.random_fields import SPACING_MM  # noqa: E402
from ctseg.lung_training.real_bodies import body_of  # noqa: E402
from ctseg.lung_training.scanner import HIGHEST_HU  # noqa: E402
from ctseg.lung_training.sickness import SICKNESSES, change_rim, make_sick  # noqa: E402
from ctseg.lungs.plausibility import PLAUSIBLE_VOLUME_CM3  # noqa: E402
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


def chest_of(path: Path, tumours: Path | None) -> tuple[Volume, Volume, Body, Grid]:
    """A real chest, its lung field with tumour (1 inside), and its body on the network's grid, and this grid."""
    image = read_nifti(path)
    lungs = segment_lungs(image).lungs
    body, grid = body_of(image)
    if tumours is not None:
        mask = read_nifti(tumours)
        tumour = mask.with_voxels((mask.voxels_zyx == 1).astype(np.float32))
        lungs = lungs.with_voxels(np.maximum(lungs.voxels_zyx, tumour.voxels_zyx > 0))
        coarse = resample(tumour, grid, fill=0).voxels_zyx >= 0.5
        nearest = ndimage.distance_transform_edt(body.sides == 0, return_distances=False, return_indices=True)
        body.sides = np.where(coarse, body.sides[tuple(nearest)], body.sides)
    return image, lungs, body, grid


def made_on_own_voxels(
    image: Volume, lungs: Volume, body: Body, grid: Grid, versions: int
) -> Iterator[tuple[Volume, MadeCase]]:
    """The chest itself, and with each single sickness, made on the network's grid and carried to its own voxels."""
    hu, inside = image.voxels_zyx, lungs.voxels_zyx > 0
    yield image, MadeCase("healthy", hu, lungs.voxels_zyx, np.zeros_like(lungs.voxels_zyx))
    nearest = ndimage.distance_transform_edt(body.sides == 0, return_distances=False, return_indices=True)

    def carried(values_zyx: np.ndarray) -> np.ndarray:
        """Values in the lungs on the image's grid, continued outside of them, so that the pleura stays sharp."""
        return resample(Volume(values_zyx.astype(np.float32)[tuple(nearest)], grid), image.grid, fill=0).voxels_zyx

    before = carried(body.hu)
    for place, name in enumerate(SICKNESSES):
        for version in range(versions):
            sick = Body(body.hu.copy(), body.sides)
            added = make_sick(np.random.default_rng([SEED, 9, place, version]), sick, name)
            dense = carried(added)
            # Vessels and airways of the scan fade where tissue or fluid replaces the lung.
            made_hu = np.where(inside, carried(sick.hu) + (1 - dense) * (hu - before), hu).astype(np.float32)
            change_rim(Body(made_hu, lungs.voxels_zyx), hu.astype(np.float32))
            voxels = np.clip(np.rint(made_hu), AIR_HU, HIGHEST_HU).astype(np.int16)
            case = MadeCase(name, voxels, lungs.voxels_zyx, ((dense >= 0.5) & inside).astype(np.uint8))
            yield image.with_voxels(voxels), case


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
            "lungs_cm3": np.count_nonzero(truth) * image.grid.voxel_volume_mm3 / 1000,
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


def group_of(case: str, lungs_cm3: float) -> str:
    """Name of the group of cases over which figures are averaged."""
    if not lungs_cm3 > 0:
        return "no lungs"
    if lungs_cm3 < PLAUSIBLE_VOLUME_CM3[0]:
        return "little lung"
    if case.startswith("phantom"):
        return "phantoms"
    return "chests, bent" if case.endswith("bent") else "chests"


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
    arguments.add_argument("--tumours", type=Path, nargs="*", default=[], help="masks of the chests, in their order")
    arguments.add_argument("--without-lungs", type=Path, nargs="*", default=[])
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print(timed(), flush=True)
    phantoms = {f"phantom-{n}": draw_body(np.random.default_rng([SEED, n])) for n in range(given.phantoms)}
    masks = given.tumours or [None] * len(given.chests)
    chests = {path.parent.name: chest_of(path, mask) for path, mask in zip(given.chests, masks, strict=True)}
    bodies = {f"{name}, bent": body for name, (_, _, body, _) in chests.items()}
    table: list[dict[str, object]] = []
    for some, versions in ((phantoms, 1), (bodies, given.versions)):
        for name, case in made(some, versions):
            table += rows(name, case, volume_of(case.image_zyx))
    for name, chest in chests.items():
        for image, case in made_on_own_voxels(*chest, given.versions):
            table += rows(name, case, image)
    for number, case in enumerate(negative_cases(SEED, 12, [])):
        table += rows(f"made-{number}", case, volume_of(case.image_zyx))
    for path in given.without_lungs:
        table += of_real_scan(path)
    found = pd.DataFrame(table)
    found.to_csv(given.out / "lung_field.tsv", sep="\t", index=False, float_format="%.4f")
    found["of"] = [group_of(*of) for of in zip(found["case"], found["lungs_cm3"], strict=True)]
    figures = ["dice", "added_inside", "volume_cm3", "plausible"]
    for groups in (["of", "kind", "method"], ["of", "method"]):
        print(found.groupby(groups)[figures].mean().to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
