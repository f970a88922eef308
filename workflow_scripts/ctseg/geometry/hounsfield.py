"""HU windows: the range of CT numbers that the network receives."""

from dataclasses import dataclass

import numpy as np

from ctseg.errors import ConfigError

# Lower and upper limit in HU. "wide" also distinguishes emphysema and bone; the others are the usual reading windows,
# as level ± width / 2 (lung −300 ± 700, soft tissue +40 ± 200, bone 400 ± 900).
WINDOWS_HU: dict[str, tuple[float, float]] = {
    "lung": (-1000.0, 400.0),
    "wide": (-1350.0, 800.0),
    "soft_tissue": (-160.0, 240.0),
    "bone": (-500.0, 1300.0),
}


def window_limits_hu(window: str | list[float] | tuple[float, float]) -> tuple[float, float]:
    """Lower and upper limit in HU of a window that is given by name or as two numbers.

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
    """HU rounded and clipped to the window: int16, in the shape of the input (any shape)."""
    low, high = int(np.ceil(window_hu[0])), int(np.floor(window_hu[1]))
    rounded = voxels_zyx if np.issubdtype(voxels_zyx.dtype, np.integer) else np.rint(voxels_zyx)
    return np.clip(rounded, low, high).astype(np.int16)


@dataclass(frozen=True)
class Scaling:
    """Scaling of HU to network input: clip to low…high, subtract the centre, divide by the spread (all in HU)."""

    low_hu: float
    high_hu: float
    centre_hu: float
    spread_hu: float

    @classmethod
    def of_window(cls, low_hu: float, high_hu: float) -> "Scaling":
        """The scaling that maps a window to −1…1."""
        return cls(low_hu, high_hu, (low_hu + high_hu) / 2, (high_hu - low_hu) / 2)
