"""Series of many geometries, and segmentations of them written as DICOM objects."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from scipy.ndimage import zoom
from scipy.spatial.transform import Rotation

from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.write import write_objects
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.components import measure_components
from dicom_files import REFERABLE, body, write, write_series, write_stack
from multiframe_files import GRID as FRAMES_GRID
from multiframe_files import multiframe

NAMES = ("liver", "tumour")
SHAPE = (4, 7, 9)
MATRICES = {
    "head first": np.eye(3),
    "feet first": np.diag([-1.0, 1, -1]),
    "prone": np.diag([-1.0, -1, 1]),
    "feet first and prone": np.diag([1.0, -1, -1]),
    "on the side": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "oblique": Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix(),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}
MULTIFRAME = "multi-frame"
STRAIGHT = [*MATRICES, MULTIFRAME]  # kinds that are read without interpolation
STACKS = {
    "tilted": ([index * 2.0 for index in range(9)], 12.0),
    "tilted back": ([index * 2.0 for index in range(9)], -25.0),
    "gap": ([0, 2, 4, 6, 10, 12, 14], 0.0),
    "tilted with changing distance": ([0, 2, 4, 6, 8.6, 11.2, 13.8, 16.4], 12.0),
}


def straight(folder, matrix):
    """Write a series of anisotropic voxels with the columns of `matrix` as axes; return the folder."""
    grid = Grid(SHAPE, (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), tuple(map(tuple, matrix.tolist())))
    return write_series(folder, body(SHAPE), grid, **REFERABLE)


def multiframe_series(folder):
    """Write a series in one multi-frame file; return the file."""
    return write(multiframe(body(FRAMES_GRID.shape_zyx), **REFERABLE), folder / "one")


@dataclass(frozen=True)
class Results:
    """Folder of a series, folder of its DICOM objects, and the label map that they contain."""

    series: Path
    folder: Path
    labels: Volume


def write_results(kind, folder):
    """Write a series of a kind (see `MATRICES`, `STACKS`, `MULTIFRAME`) and the results for it."""
    series = folder / "ct"
    if kind in STACKS:
        write_stack(series, *STACKS[kind], **REFERABLE)
    elif kind == MULTIFRAME:
        multiframe_series(series)
    else:
        straight(series, MATRICES[kind])
    draw = speckles if kind in MATRICES else blobs
    return Results(series, folder / "out", written(series, folder / "out", draw))


def speckles(shape_zyx, n_classes):
    """Label map [z, y, x] with random classes in 30 % of the voxels, which yields all local shapes of contours."""
    rng = np.random.default_rng(7)
    return (rng.integers(1, n_classes + 1, shape_zyx) * (rng.random(shape_zyx) < 0.3)).astype(np.uint8)


def blobs(shape_zyx, n_classes):
    """Label map [z, y, x] of random lumps with holes; their number does not depend on the shape."""
    rng = np.random.default_rng(7)
    coarse = rng.random((5, 5, 5))
    smooth = zoom(coarse, np.divide(shape_zyx, 5), order=1, grid_mode=True, mode="nearest")
    return np.digitize(smooth, np.linspace(0.6, 1, n_classes + 1)[:-1]).astype(np.uint8)


def nothing(shape_zyx, _):
    """Empty label map [z, y, x]."""
    return np.zeros(shape_zyx, np.uint8)


def written(series, folder, draw=blobs, names=NAMES):
    """Label map on the grid of a series; its DICOM objects are written into `folder`."""
    scan, _ = read_dicom(series, irregular="resample")
    labels = Volume(draw(scan.grid.shape_zyx, len(names)), scan.grid)
    findings = Findings(labels, names, measure_components(labels, scan), "c0ffee" * 10 + "beef")
    write_objects(folder, choose_stack(series), findings)
    return labels


def read_back(path, grid, names=NAMES):
    """Label map [z, y, x] of a SEG or RTSTRUCT on a grid."""
    settings = LabelSettings({name: value for value, name in enumerate(names, start=1)}, missing_ok=True)
    return read_label(path, settings, grid, "image").voxels_zyx


def headers(series):
    """Data sets of the files of a series, in the order of the file names."""
    return [pydicom.dcmread(path) for path in sorted(series.iterdir())]


def expected_on_slice(header, labels):
    """Class of the voxel nearest to each pixel [y, x] of a slice, located by the header of the slice."""
    axes = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    rows, columns = np.indices((header.Rows, header.Columns)).reshape(2, -1, 1)
    row_mm, column_mm = map(float, header.PixelSpacing)
    points = np.array(header.ImagePositionPatient, float) + rows * row_mm * axes[1] + columns * column_mm * axes[0]
    indices = np.rint(labels.grid.indices_zyx(points)).astype(int)
    return labels.voxels_zyx[tuple(indices.T)].reshape(header.Rows, header.Columns)
