"""Segmentation of balls by an engine, and the Dice of two masks."""

import numpy as np

from ctseg.inference.predict import infer


def dice(a, b):
    """Dice of two boolean masks."""
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def labels(engine, scan, **settings):
    """Mask of all classes by an engine, before postprocessing; `scan` is a result of `ball_scan`."""
    return infer(scan[0], None, engine, **settings).labels.voxels_zyx > 0
