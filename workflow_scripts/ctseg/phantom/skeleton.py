"""The phantom's bones, painted in chest coordinates (see `phantom.anatomy`) into HU arrays `[z, y, x]`, in place."""

import numpy as np

from ctseg.phantom.shapes import coverage, paint, smooth_max

CORTEX, MARROW, DISC, CARTILAGE, CORD = 650.0, 180.0, 90.0, 95.0, 30.0
PITCH_MM = 24.0  # between ribs and between vertebrae


def spine_y_mm(z: np.ndarray) -> np.ndarray:
    """y in mm of the centres of the vertebral bodies: the spine bends to the back in its middle."""
    return 70 - 10 * ((z - 10) / 140) ** 2


def _paint_bone(hu: np.ndarray, distance: np.ndarray, ramp: float, marrow_hu: float = MARROW) -> None:
    """Paint a bone that is dense near its surface, with marrow inside."""
    dense = np.exp(-(((distance + 1.2) / 1.6) ** 2))
    paint(hu, coverage(distance, ramp), marrow_hu + (CORTEX - marrow_hu) * dense)


def paint_ribs(hu: np.ndarray, cavity: np.ndarray, ramp: float, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """Paint ribs that run forward and down in the shell around the cavity, their cartilages, and the breastbone."""
    shell = (cavity > 0) & (cavity < 12) & (z < 124)
    if not shell.any():
        return
    x, y, z = (np.broadcast_to(axis, cavity.shape)[shell] for axis in (x, y, z))
    depth, part = cavity[shell], hu[shell]
    turn = np.arctan2(np.abs(x), y - 5) / np.pi  # 0 at the spine, 1 at the breastbone
    height = z + 80 * np.sin(np.clip(turn / 0.8, 0, 1) * np.pi / 2) ** 2 - 45 * np.clip(turn - 0.8, 0, 1) / 0.2
    offset = height - PITCH_MM * np.round(height / PITCH_MM)
    level = np.sqrt((offset / 6.5) ** 2 + ((depth - 5.5) / 3.6) ** 2)
    rib = np.where((height < 124) & (turn > 0.08), (level - 1) * 4.2, 9.0).astype(np.float32)
    cartilage = np.where(turn > 0.83, rib, 9.0)
    _paint_bone(part, np.where(turn > 0.83, 9.0, rib), ramp)
    paint(part, coverage(cartilage, ramp), CARTILAGE)
    breastbone = np.maximum(np.maximum(np.abs(x) - 17, np.abs(depth - 6) - 4.5), np.abs(z - 22) - 62)
    _paint_bone(part, np.where(turn > 0.7, breastbone, 9.0), ramp, 110.0)
    hu[shell] = part


def paint_shoulders(
    hu: np.ndarray, cavity: np.ndarray, body: np.ndarray, ramp: float, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> None:
    """Paint shoulder blades behind the ribs, inside the body."""
    if float(z.max()) < -5:
        return
    turn = np.arctan2(np.abs(x), y - 5) / np.pi
    edge = np.maximum(np.abs(turn - 0.29) * 300 - 8 - 0.22 * z, np.abs(z - 68) - 62)
    blade = np.maximum(smooth_max(np.abs(cavity - 19) - 2.2, edge, 3.0), body + 7)
    _paint_bone(hu, blade, ramp, 300.0)


def paint_spine(hu: np.ndarray, ramp: float, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """Paint vertebrae with arch, processes and canal, the discs between them, and the muscles of the back."""
    box = (slice(None), slice(*np.searchsorted(y.ravel(), [35, 145])), slice(*np.searchsorted(x.ravel(), [-45, 45])))
    part, x, y = hu[box], x[:, :, box[2]], y[:, box[1]]
    behind, side = y - spine_y_mm(z), np.abs(x)
    phase = np.abs((z / PITCH_MM) % 1 - 0.5) * PITCH_MM  # 0 in the middle of a vertebra, 12 in that of a disc
    column = np.sqrt((x / 1.15) ** 2 + behind * behind) - 15
    muscle = np.maximum(np.maximum(side - 38, np.abs(behind - 34) - 17), 6 - side)
    paint(part, coverage(muscle, ramp), 55.0)
    paint(part, coverage(column + 0 * z, ramp), DISC)
    _paint_bone(part, np.maximum(column + 1.5 - 0.15 * phase, phase - 9.5), ramp)
    canal = np.sqrt(x * x + (behind - 23) ** 2)
    arch = np.maximum(np.abs(canal - 10.5) - 2.5, phase - 9)
    transverse = np.maximum(np.maximum(np.abs(behind - 25 - 0.25 * side) - 4, np.abs(side - 20) - 13), phase - 5)
    spinous = np.maximum(np.maximum(side - 3, np.abs(behind - 44) - 13), np.abs(phase - 4) - 5)
    _paint_bone(part, np.minimum(np.minimum(arch, transverse), spinous), ramp, 350.0)
    paint(part, coverage(canal - 8 + 0 * z, ramp), CORD)
