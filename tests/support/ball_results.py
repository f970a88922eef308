"""What engines find in a scan of balls, and how alike two results are."""

import numpy as np

from ctseg.inference.predict import infer


def dice(a, b):
    """The Dice of two masks."""
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def labels(engine, scan, **settings):
    """The mask that an engine finds in a scan, before postprocessing."""
    return infer(scan[0], None, engine, **settings).labels.voxels_zyx > 0
