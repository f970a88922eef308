"""Functions that `own_code.py` compares: those of ctseg, and the same by libraries, used as documented."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cc3d
import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal.igzip import IGzipFile
from scipy import ndimage

from benchmarks.metrics import SPACING_ZYX_MM, TOLERANCE_MM, by_ctseg, by_deepmind, by_monai
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.run_lengths import component_sizes, fill, find_runs, number_components
from ctseg.scans.nifti import GZIP_LEVEL, read_nifti, write_nifti

SMALLEST = 100  # voxels of the smallest component that is kept
CONNECTED = np.ones((3, 3, 3))
UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
ROOT = Path(__file__).resolve().parents[1]
JOB = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ctseg.inference.engine_server import segment
segment(json.loads(sys.argv[2]), int(sys.argv[3]), "benchmark")
"""


def lungs(shape_zyx: tuple[int, int, int]) -> np.ndarray:
    """Two large ellipsoids of classes 1 and 2, uint8 [z, y, x]."""
    z, y, x = np.ogrid[tuple(slice(-1, 1, complex(0, size)) for size in shape_zyx)]
    found = np.zeros(shape_zyx, np.uint8)
    for value, centre in ((1, -0.42), (2, 0.42)):
        found[(z / 0.8) ** 2 + (y / 0.55) ** 2 + ((x - centre) / 0.36) ** 2 < 1] = value
    return found


def body(shape_zyx: tuple[int, int, int]) -> np.ndarray:
    """A round body of soft tissue with noise in air, int16 HU [z, y, x]."""
    _, height, width = shape_zyx
    y, x = (indices / size - 0.5 for indices, size in zip(np.indices((height, width)), (height, width), strict=True))
    inside = np.hypot(x, y * 1.3) < 0.4
    rng = np.random.default_rng(0)
    planes = (np.where(inside, 40, -1000) + rng.normal(0, 15, (height, width)) for _ in range(shape_zyx[0]))
    return np.stack([plane.astype(np.int16) for plane in planes])


def surfaces_by_scipy(reference: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """HD95, ASSD and surface Dice of border voxels, without areas, by distance transforms of the box around both."""
    box = ndimage.find_objects((reference | prediction).astype(np.uint8))[0]
    masks = [np.pad(mask[box], 1) for mask in (reference, prediction)]
    borders = [mask & ~ndimage.binary_erosion(mask, CONNECTED) for mask in masks]
    to_borders = [ndimage.distance_transform_edt(~border, SPACING_ZYX_MM) for border in borders]
    there, back = to_borders[1][borders[0]], to_borders[0][borders[1]]
    both = np.concatenate([there, back])
    return {
        "hd95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
        "assd": float(both.mean()),
        "nsd": float((both <= TOLERANCE_MM).mean()),
    }


def hausdorff_by_itk(reference: np.ndarray, prediction: np.ndarray) -> float:
    """Largest surface distance in mm; SimpleITK has no percentile and no surface Dice."""
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (reference, prediction)]
    for image in images:
        image.SetSpacing(SPACING_ZYX_MM[::-1])
    measure = sitk.HausdorffDistanceImageFilter()
    measure.Execute(*images)
    return measure.GetHausdorffDistance()


def without_small(voxels: np.ndarray) -> np.ndarray:
    """Label map [z, y, x] without its small components, as in postprocessing."""
    runs = find_runs(voxels)
    components = number_components(runs)
    keep = component_sizes(runs, components) >= SMALLEST
    return fill(runs.chosen(keep[components]))


def without_small_by_cc3d(voxels: np.ndarray) -> np.ndarray:
    """Label map [z, y, x] without its small components, by connected-components-3d."""
    return cc3d.dust(voxels, threshold=SMALLEST, connectivity=26)


def _without_small(voxels: np.ndarray, number: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Label map without its small components; `number` numbers the components of a mask from 1."""
    kept = np.zeros_like(voxels)
    for value in range(1, int(voxels.max()) + 1):
        numbers = number(voxels == value)
        keep = np.bincount(numbers.ravel()) >= SMALLEST
        keep[0] = False
        kept[keep[numbers]] = value
    return kept


def without_small_by_scipy(voxels: np.ndarray) -> np.ndarray:
    """Label map [z, y, x] without its small components, by SciPy."""
    return _without_small(voxels, lambda mask: ndimage.label(mask, CONNECTED)[0])


def without_small_by_itk(voxels: np.ndarray) -> np.ndarray:
    """Label map [z, y, x] without its small components, by SimpleITK."""

    def number(mask: np.ndarray) -> np.ndarray:
        return sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.view(np.uint8)), True))

    return _without_small(voxels, number)


def write_by_nibabel(volume: Volume, path: str) -> None:
    """Write a .nii.gz by the loop of nibabel on a stream of isal; the affine is not kept."""
    image = nib.Nifti1Image(volume.voxels_zyx.T, np.eye(4))
    with Path(path).open("wb") as raw, IGzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as stream:
        image.to_stream(stream)


def read_by_nibabel(path: str) -> np.ndarray:
    """Voxels [z, y, x] of a .nii.gz by the loop of nibabel on a stream of isal."""
    with IGzipFile(path, "rb") as stream:
        return np.asanyarray(nib.Nifti1Image.from_stream(stream).dataobj).T


def write_masks(folder: str, reference: np.ndarray, prediction: np.ndarray) -> None:
    """Write reference.nii.gz and prediction.nii.gz for `job`."""
    grid = Grid(reference.shape, (0.7, 0.7, 1.0), (0.0, 0.0, 0.0), UPRIGHT)
    for name, voxels in (("reference", reference), ("prediction", prediction)):
        write_nifti(Volume(voxels.astype(np.uint8), grid), f"{folder}/{name}.nii.gz")


def job(way: str, folder: str) -> None:
    """Do one job with the files of `write_masks`: postprocess the segmentation, or measure it."""
    prediction = read_nifti(f"{folder}/prediction.nii.gz")
    if way in ("runs", "cc3d"):
        remove_small = without_small if way == "runs" else without_small_by_cc3d
        write_nifti(prediction.with_voxels(remove_small(prediction.voxels_zyx)), f"{folder}/{way}.nii.gz")
        return
    reference = read_nifti(f"{folder}/reference.nii.gz")
    tool = {"own": by_ctseg, "surface-distance": by_deepmind, "MONAI": by_monai}[way]
    tool(reference.voxels_zyx > 0, prediction.voxels_zyx > 0)


def writers(volume: Volume, folder: str) -> dict[str, Callable[[], Any]]:
    """Functions that write a .nii.gz, by name."""
    image = nib.Nifti1Image(volume.voxels_zyx.T, np.eye(4))
    paths = [f"{folder}/{number}.nii.gz" for number in range(4)]
    return {
        "own": lambda: write_nifti(volume, paths[0]),
        "nibabel": lambda: nib.save(image, paths[1]),
        "nibabel on isal": lambda: write_by_nibabel(volume, paths[2]),
        "SimpleITK": lambda: sitk.WriteImage(sitk.GetImageFromArray(volume.voxels_zyx), paths[3], True),
    }


def readers(volume: Volume, folder: str) -> dict[str, Callable[[], Any]]:
    """Functions that read a .nii.gz, by name."""
    path = f"{folder}/read.nii.gz"
    write_nifti(volume, path)
    return {
        "own": lambda: read_nifti(path),
        "nibabel": lambda: np.asanyarray(nib.Nifti1Image.from_filename(path).dataobj),
        "nibabel on isal": lambda: read_by_nibabel(path),
        "SimpleITK": lambda: sitk.GetArrayFromImage(sitk.ReadImage(path)),
    }


def memory_ways(folder: Path, slices: int) -> dict[str, Callable[[], Any]]:
    """Functions for the memory measurement, by name, on mapped volumes of `slices` × 512 × 512 voxels."""
    shape = (slices, 512, 512)
    path, out = str(folder / "scan.nii.gz"), str(folder / "out.nii.gz")
    voxels, segmentation = mapped_arrays.zeros(shape, np.int16), mapped_arrays.zeros(shape, np.uint8)
    plane, classes = body((1, 512, 512))[0], lungs((3, 512, 512))[1]
    for part in mapped_arrays.by_slab(voxels, segmentation):
        voxels[part] = plane
        segmentation[part] = classes
    volume = Volume(voxels, Grid(shape, (0.7, 0.7, 1.0), (0.0, 0.0, 0.0), UPRIGHT))
    write_nifti(volume, path)
    return {
        "runs": lambda: without_small(segmentation),
        "cc3d": lambda: without_small_by_cc3d(segmentation),
        "write": lambda: write_nifti(volume, out),
        "write by nibabel": lambda: write_by_nibabel(volume, out),
        "read": lambda: read_nifti(path),
        "read by nibabel": lambda: read_by_nibabel(path),
    }


def by_pydicom(part: Any) -> np.ndarray:
    """Stored values [y, x] of a slice, by pydicom."""
    from pydicom.pixels import pixel_array

    return pixel_array(part.path, index=part.header.frame)


def served(folder: Path) -> dict[str, Callable[[], Any]]:
    """Functions that run an inference job as a process, with a shared engine server and without one."""
    from ball_model import CARD, trained_model
    from ctseg.export.model_files import export_onnx

    export_onnx(trained_model(), CARD, folder / "model.onnx")
    hu = np.random.default_rng(0).normal(0, 80, (64, 64, 64)).astype(np.int16)
    write_nifti(Volume(hu, Grid(hu.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), UPRIGHT)), folder / "scan.nii.gz")
    names = {"image": "scan.nii.gz", "model": "model.onnx", "prediction": "found.nii.gz"}
    task = {key: str(folder / name) for key, name in names.items()} | {"threads": 1, "engine": "auto"}

    def job(cases: int) -> None:
        words = [sys.executable, "-c", JOB, str(ROOT / "workflow_scripts"), json.dumps(task), str(cases)]
        subprocess.run(words, check=True)

    return {"own": lambda: job(1000), "each job for itself, also in Snakemake's groups": lambda: job(1)}


def carried(folder: Path, count: int = 100) -> dict[str, Callable[[], Any]]:
    """Functions that send `count` tasks to a server and receive answers, by ctseg and by multiprocessing."""
    from ctseg.inference import engine_server

    task, said = {"image": "a" * 100}, {"said": "done"}

    def answer(line: Any) -> dict[str, str]:
        with line.makefile() as words:
            json.loads(words.readline())
        return said

    def own() -> None:
        path = folder / "own.sock"
        with patch.object(engine_server, "_answer", answer):
            server = threading.Thread(target=engine_server.serve, args=(path, count))
            server.start()
            while not path.exists():
                pass
            for _ in range(count):
                engine_server._ask(path, task)
            server.join()

    def library() -> None:
        path = str(folder / "library.sock")
        with Listener(path, authkey=b"key") as door:

            def serve() -> None:
                for _ in range(count):
                    with door.accept() as line:
                        line.recv()
                        line.send(said)

            server = threading.Thread(target=serve)
            server.start()
            for _ in range(count):
                with Client(path, authkey=b"key") as line:
                    line.send(task)
                    line.recv()
            server.join()

    return {"own": own, "multiprocessing's Listener": library}
