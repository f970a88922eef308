"""Search of a label map for the foreground voxels of each class."""

import numpy as np

from ctseg.masks.components import label_components
from ctseg.preprocessing.foreground import Foreground


def find_foreground(label_zyx: np.ndarray, n_classes: int, most: int, seed: int) -> tuple[Foreground, ...]:
    """Components of each class of a label map, uint8 [z, y, x], 0 background, 1…n_classes.

    At most `most` voxels of a class are listed: up to the same number of each component, at least one (so more if a
    class has more than `most` components), drawn without replacement. Patches are centred on listed voxels, so that no
    label map has to be searched during training.
    """
    rng = np.random.default_rng(seed)
    found = []
    for value in range(1, n_classes + 1):
        components = label_components(label_zyx == value).ravel()
        inside = np.flatnonzero(components)
        by_component = inside[np.argsort(components[inside], kind="stable")]
        voxels = np.bincount(components[inside])[1:]
        share = max(1, most // max(1, voxels.size))
        listed = [
            np.sort(rng.choice(places, share, replace=False)) if places.size > share else places
            for places in np.split(by_component, np.cumsum(voxels))[:-1]
        ]
        indices = np.concatenate(listed) if listed else by_component
        found.append(Foreground(indices.astype(np.int64), np.minimum(voxels, share), voxels))
    return tuple(found)
