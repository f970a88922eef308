"""Hounsfield windows: which CT numbers the network sees."""

from dataclasses import dataclass

import numpy as np

from ctseg.errors import ConfigError

# Lower and upper end in HU. "wide" keeps emphysema and bone apart too; the others are a reader's usual windows, given
# as level ± width / 2 (lung −300 ± 700, soft tissue +40 ± 200, bone 400 ± 900).
WINDOWS_HU: dict[str, tuple[float, float]] = {
    "lung": (-1000.0, 400.0),
    "wide": (-1350.0, 800.0),
    "soft_tissue": (-160.0, 240.0),
    "bone": (-500.0, 1300.0),
}


def window_limits_hu(window: str | list[float] | tuple[float, float]) -> tuple[float, float]:
    """The lower and upper end of a window given by name or as two numbers in HU.

    Raises ConfigError for an unknown name or limits that do not increase.
    """
    if isinstance(window, str):
        if window not in WINDOWS_HU:
            raise ConfigError(
                f"there is no HU window {window!r}; known are {', '.join(WINDOWS_HU)}, or give [low, high]"
            )
        return WINDOWS_HU[window]
    low, high = (float(limit) for limit in window)
    if not low < high:
        raise ConfigError(f"the HU window [{low:g}, {high:g}] is empty: its first number must be the smaller one")
    return low, high


def clip_hu(voxels_zyx: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """Clip to the window and round to int16 HU. Takes any shape and gives the same shape."""
    low, high = int(np.ceil(window_hu[0])), int(np.floor(window_hu[1]))
    rounded = voxels_zyx if np.issubdtype(voxels_zyx.dtype, np.integer) else np.rint(voxels_zyx)
    return np.clip(rounded, low, high).astype(np.int16)


@dataclass(frozen=True)
class Scaling:
    """How HU become what a network sees: clipped to low…high, less the centre, divided by the spread."""

    low_hu: float
    high_hu: float
    centre_hu: float
    spread_hu: float

    @classmethod
    def of_window(cls, low_hu: float, high_hu: float) -> "Scaling":
        """The window becomes −1…1."""
        return cls(low_hu, high_hu, (low_hu + high_hu) / 2, (high_hu - low_hu) / 2)
