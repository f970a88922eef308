"""Detection of lesions: components of the reference are matched with components of the prediction."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctseg.geometry.resample import bounding_box
from ctseg.masks.components import label_components
from ctseg.masks.overlap import dice

PANOPTIC_IOU = 0.5  # IoU above which a pair is always one-to-one (Kirillov et al., CVPR 2019)
# Order and format of the columns of the metrics table.
COLUMNS = {
    "reference_lesions": "d",
    "predicted_lesions": "d",
    "found_lesions": "d",
    "false_lesions": "d",
    "lesion_sensitivity": ".4f",
    "lesion_precision": ".4f",
    "lesion_f1": ".4f",
    "lesion_dice": ".4f",
    "panoptic_quality": ".4f",
}


@dataclass(frozen=True)
class Matching:
    """Overlaps and matched pairs of the components of a reference and a prediction; indices are numbers − 1.

    `shared` counts the voxels that each two components share [reference, prediction], `reference_voxels` (n,) and
    `predicted_voxels` (m,) count the voxels of each component, and `pairs` lists the pairs matched one to one, as
    (reference, prediction).
    """

    shared: np.ndarray
    reference_voxels: np.ndarray
    predicted_voxels: np.ndarray
    pairs: list[tuple[int, int]]

    @property
    def ious(self) -> np.ndarray:
        """Intersection over union of each two components [reference, prediction]."""
        return _ious(self.shared, self.reference_voxels, self.predicted_voxels)

    @property
    def dices(self) -> list[float]:
        """Dice of each matched pair, in the order of `pairs`."""
        return [
            dice(self.shared[row, column], self.reference_voxels[row], self.predicted_voxels[column])
            for row, column in self.pairs
        ]


NONE_THERE = Matching(np.zeros((0, 0)), np.zeros(0), np.zeros(0), [])


def match_lesions(reference: np.ndarray, prediction: np.ndarray, smallest_iou: float) -> Matching:
    """Match the components of two integer arrays of one shape; voxels hold component numbers from 1, or 0.

    Pairs are matched one to one, the highest IoU first, down to `smallest_iou`. A number without a voxel is not
    matched.
    """
    shared, reference_voxels, predicted_voxels = _overlaps(reference, prediction)
    pairs = _matched(_ious(shared, reference_voxels, predicted_voxels), smallest_iou)
    return Matching(shared, reference_voxels, predicted_voxels, pairs)


def lesion_metrics(reference: np.ndarray, prediction: np.ndarray, smallest_iou: float) -> dict[str, Any]:
    """Detection metrics of the connected components of two boolean masks [z, y, x] of one shape.

    Components are matched as in `match_lesions`. `found_lesions` counts the matched lesions, `false_lesions` the
    unmatched components of the prediction; sensitivity, precision and F1 follow from them. `lesion_dice` is the mean
    Dice over the lesions of the reference, with 0 for a missed lesion. Panoptic quality (Kirillov et al., CVPR 2019)
    counts pairs with an IoU above 0.5. A quotient with denominator 0 is NaN: sensitivity and `lesion_dice` without a
    lesion in the reference, precision without a component in the prediction, F1 and panoptic quality without either.
    """
    box = bounding_box(reference | prediction)
    matching = NONE_THERE
    if box is not None:
        matching = match_lesions(label_components(reference[box]), label_components(prediction[box]), smallest_iou)
    n_reference, n_predicted = matching.shared.shape
    found, ious = len(matching.pairs), matching.ious
    strict = [ious[pair] for pair in matching.pairs if ious[pair] > PANOPTIC_IOU]
    both = n_reference + n_predicted
    return {
        "reference_lesions": n_reference,
        "predicted_lesions": n_predicted,
        "found_lesions": found,
        "false_lesions": n_predicted - found,
        "lesion_sensitivity": ratio(found, n_reference),
        "lesion_precision": ratio(found, n_predicted),
        "lesion_f1": ratio(2 * found, both),
        "lesion_dice": ratio(sum(matching.dices), n_reference),
        "panoptic_quality": ratio(2 * sum(strict), both),
    }


def _overlaps(reference: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared voxels of each two components [reference, prediction], and voxels of each component of both arrays."""
    n_reference, n_predicted = int(reference.max()), int(prediction.max())
    joint = reference.astype(np.int64) * (n_predicted + 1) + prediction
    counts = np.bincount(joint.ravel(), minlength=(n_reference + 1) * (n_predicted + 1))
    counts = counts.reshape(n_reference + 1, n_predicted + 1)
    return counts[1:, 1:], counts.sum(axis=1)[1:], counts.sum(axis=0)[1:]


def _ious(shared: np.ndarray, reference_voxels: np.ndarray, predicted_voxels: np.ndarray) -> np.ndarray:
    """Intersection over union [reference, prediction]; 0 if neither component has a voxel."""
    return shared / np.maximum(reference_voxels[:, None] + predicted_voxels - shared, 1)


def _matched(ious: np.ndarray, smallest_iou: float) -> list[tuple[int, int]]:
    """Pairs (reference, prediction) with the highest IoU first, each component in at most one pair."""
    free, pairs = ious.copy(), []
    while free.size and free.max() > 0 and free.max() >= smallest_iou:
        row, column = np.unravel_index(int(free.argmax()), free.shape)
        pairs.append((int(row), int(column)))
        free[row, :] = free[:, column] = 0
    return pairs


def ratio(part: float, whole: float) -> float:
    """Quotient of `part` and `whole`; NaN if `whole` is 0."""
    return float(part / whole) if whole else float("nan")
