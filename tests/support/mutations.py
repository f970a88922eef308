"""Damage scans and labels at random and read them; a separate process, because reading may end in a crash.

    python tests/support/mutations.py FOLDER KIND FIRST LAST

prints two JSON lines for each damaged file: the damage before reading, and the damage and the outcome after it.
"""

import json
import random
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "workflow_scripts")]

from ctseg.errors import InputError  # noqa: E402
from ctseg.geometry.volume import Grid, Volume  # noqa: E402
from ctseg.labels.outlines import rasterise  # noqa: E402
from ctseg.labels.rtstruct import read_rois  # noqa: E402
from ctseg.scans.nifti import write_nifti  # noqa: E402
from ctseg.scans.read_scan import read_scan  # noqa: E402
from dicom_files import body, write_rtstruct, write_series  # noqa: E402

MEMORY_LIMIT = 2**30
GRID = Grid((6, 16, 20), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
ODD_NUMBERS = ["", "0", "-1", "nan", "inf", "1e300", "1e-300", "99999", "x", "0.7\\0.7\\0.7", "\\", "1\\\\2"]
FIELDS = [
    *["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"],
    *["NumberOfFrames", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "RescaleSlope"],
    *["RescaleIntercept", "PixelPaddingValue", "Modality", "ImageType", "SeriesInstanceUID", "AcquisitionNumber"],
    *["SliceThickness", "PixelData"],
]
NRRD_LINES = ["dimension: 99", "sizes: 20 16 99999999", "sizes: -1 2 3", "type: float", "encoding: gzip", "type: block"]
NRRD_LINES += ["space directions: (0,0,0) (0,0,0) (0,0,0)", "space directions: (nan,0,0) (0,1,0) (0,0,1)", "sizes:"]
BALL = [np.array([[x, y, 35.0] for x, y in [(-5, 7), (0, 6), (2, 10), (-3, 14)]])]


def flip_bytes(data: bytes, chance: random.Random, end: int | None = None) -> bytes:
    """The file with one to eight bytes replaced, before offset `end`."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(end or len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The file cut at a random byte."""
    return data[: chance.randrange(len(data))]


def fuzz_fields(data: bytes, chance: random.Random) -> bytes:
    """The DICOM file with odd values in one to three header elements, or without them."""
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    for keyword in chance.sample(FIELDS, chance.randint(1, 3)):
        if keyword not in dataset or chance.random() < 0.2:
            dataset.pop(keyword, None)
        elif isinstance(dataset[keyword].value, int):
            setattr(dataset, keyword, chance.choice([0, 1, 7, 12, 32, 64, 65535]))
        elif keyword == "PixelData":
            dataset.PixelData = dataset.PixelData[: chance.randrange(0, 300, 2)]
        else:
            dataset[keyword]._value = chance.choice(ODD_NUMBERS)
    out = pydicom.filebase.DicomBytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


def fuzz_nrrd(data: bytes, chance: random.Random) -> bytes:
    """The NRRD file with one odd line in its header."""
    head, _, voxels = data.partition(b"\n\n")
    lines = head.split(b"\n")
    lines[chance.randrange(1, len(lines))] = chance.choice(NRRD_LINES).encode()
    return b"\n".join(lines) + b"\n\n" + voxels


def damage(data: bytes, kind: str, chance: random.Random) -> tuple[str, bytes]:
    """Name of a random kind of damage, and the damaged file."""
    ways = {"flip": flip_bytes, "flip header": lambda d, c: flip_bytes(d, c, min(len(d), 352)), "cut": cut}
    if kind == "dicom":
        ways["fields"] = fuzz_fields
    if kind == "nrrd":
        ways["line"] = fuzz_nrrd
    way = chance.choice(sorted(ways))
    return way, ways[way](data, chance)


def original(kind: str, folder: Path) -> Path:
    """Path of the intact file of a kind, written into `folder`."""
    volume = Volume(body(GRID.shape_zyx), GRID)
    if kind == "dicom":
        return sorted(write_series(folder / "series", volume.voxels_zyx, GRID).iterdir())[2]
    if kind == "rtstruct":
        return write_rtstruct(folder / "rs.dcm", {"GTV": BALL, "other": BALL})
    path = folder / {"nii": "a.nii", "nii.gz": "a.nii.gz", "nifti2": "b.nii", "nrrd": "a.nrrd"}[kind]
    if kind == "nifti2":
        affine = np.diag([-1, -1, 1, 1]) @ GRID.affine
        nib.save(nib.Nifti2Image(volume.voxels_zyx.T, affine, dtype=np.int16), path)
    elif kind == "nrrd":
        sitk.WriteImage(sitk.GetImageFromArray(volume.voxels_zyx), str(path))
    else:
        write_nifti(volume, path)
    return path


def outcome(kind: str, path: Path) -> tuple[str, str]:
    """`error` and its text, `right` if another reader agrees or fails, `wrong` and the grid if it differs."""
    try:
        if kind == "rtstruct":
            [roi] = read_rois(path, {"GTV": ["GTV"]})["GTV"]
            return "right", str(rasterise(roi.contours, GRID, "GTV", "image").mask.sum())
        scan = read_scan(path.parent if kind == "dicom" else path)
    except InputError as error:
        return "error", str(error)
    try:
        same = same_elsewhere(kind, path, scan.volume)
    except Exception:  # another reader that fails does not contradict
        same = True
    return ("right", "") if same else ("wrong", str(scan.volume.grid))


def same_elsewhere(kind: str, path: Path, volume: Volume) -> bool:
    """Whether another reader finds the same values at the same positions in the damaged file."""
    if kind == "dicom":
        slices = [pydicom.dcmread(file, force=True) for file in path.parent.iterdir()]
        return all(slice_in(volume, part) for part in slices if is_slice(part, volume))
    if kind == "nrrd":
        image = sitk.ReadImage(str(path))
        voxels, affine = sitk.GetArrayFromImage(image), volume.grid.affine
        spacing = image.GetSpacing()
    else:
        image = nib.load(path)
        to_mm = {1: 1000.0, 3: 0.001}.get(int(image.header["xyzt_units"]) & 7, 1.0)
        affine = np.diag([-to_mm, -to_mm, to_mm, 1]) @ image.affine
        voxels = np.asarray(image.dataobj).reshape(image.shape[:3]).T
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
    clipped = np.rint(np.nan_to_num(voxels.astype(float), nan=-1024)).clip(-1024, 32767)
    return (
        np.array_equal(clipped, volume.voxels_zyx)
        and np.allclose(affine, volume.grid.affine, rtol=1e-4, atol=1e-3)
        and np.allclose(spacing, volume.grid.spacing_xyz_mm, rtol=1e-4)
    )


def is_slice(part: pydicom.Dataset, volume: Volume) -> bool:
    """Whether a file belongs to the volume; files of another size, series or image type are left out."""
    same_size = (part.get("Rows"), part.get("Columns")) == volume.grid.shape_zyx[1:]
    grey = part.get("SamplesPerPixel", 1) == 1 and "LOCALIZER" not in str(part.get("ImageType"))
    return part.get("Modality") == "CT" and part.get("SeriesInstanceUID") == "1.2.3" and same_size and grey


def slice_in(volume: Volume, part: pydicom.Dataset) -> bool:
    """Whether the volume has the pixels of a slice at the position in its header."""
    z, y, x = volume.grid.indices_zyx(np.array([part.ImagePositionPatient], dtype=float))[0]
    if not -0.5 < z < volume.grid.shape_zyx[0] - 0.5 or max(abs(y), abs(x)) > 0.1:
        return part.ImageOrientationPatient != [1, 0, 0, 0, 1, 0]  # another stack
    stored = np.frombuffer(part.PixelData, f"<{'i' if part.get('PixelRepresentation') else 'u'}2")[
        : part.Rows * part.Columns
    ]
    hu = stored.reshape(part.Rows, part.Columns) * float(part.get("RescaleSlope", 1)) + float(
        part.get("RescaleIntercept", 0)
    )
    hu = np.rint(hu).clip(-1024, 32767)
    padding = part.get("PixelPaddingValue") is not None
    return padding or np.array_equal(hu, volume.voxels_zyx[round(z)])


def main() -> None:
    """Damage and read a file of a kind with the seeds FIRST … LAST − 1."""
    folder, kind, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("ignore")
    path = original(kind, folder)
    intact = path.read_bytes()
    assert outcome(kind, path)[0] == "right"
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_LIMIT,) * 2)
    for seed in range(first, last):
        way, data = damage(intact, kind, random.Random(f"{kind} {seed}"))
        path.write_bytes(data)
        print(json.dumps({"file": seed, "way": way, "reading": True}), flush=True)
        start = time.monotonic()
        try:
            result, text = outcome(kind, path)
        except Exception as error:  # a traceback must never occur
            result, text = "traceback", "".join(traceback.format_exception(error)[-3:])
        seconds = time.monotonic() - start
        print(json.dumps({"file": seed, "way": way, "result": result, "text": text, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
