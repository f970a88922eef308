"""Methods of a study as text for a paper, with the study's own values and references."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ctseg.catalogue.archives import ARCHIVES
from ctseg.catalogue.entry import Entry
from ctseg.catalogue.losses import LOSSES
from ctseg.catalogue.metrics import of_family
from ctseg.catalogue.networks import NETWORKS
from ctseg.catalogue.optimisers import OPTIMISERS
from ctseg.catalogue.references import REFERENCES
from ctseg.decisions import Stored, values_of
from ctseg.inference.model_card import ModelCard
from ctseg.network.kinds import kind_name
from ctseg.plurals import counted
from ctseg.report.cohort import subjects

CHANGES = {
    "rotate_degrees": "rotation (up to {}°)",
    "tilt_degrees": "tilt (up to {}°)",
    "scale": "zoom (up to {:.0%})",
    "elastic_mm": "elastic deformation (standard deviation {} mm)",
    "blur_mm": "blur (up to {} mm)",
    "low_resolution": "lower resolution (up to {:.0%})",
    "contrast": "contrast (up to {:.0%})",
    "gamma": "gamma (up to {:.0%})",
    "shift_hu": "brightness (up to {} HU)",
    "noise_hu": "Gaussian noise (standard deviation up to {} HU)",
}


class Citations:
    """Numbers of references in the order in which they are cited."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        """Numbers of the references in square brackets; an empty string without keys."""
        self.keys += [key for key in keys if key not in self.keys]
        return f" [{', '.join(str(self.keys.index(key) + 1) for key in keys)}]" if keys else ""


def methods(
    config: Mapping[str, Any],
    made: Mapping[str, Stored],
    cohort: pd.DataFrame,
    card: ModelCard,
    measured: bool,
    trained_steps: Sequence[int] = (),
) -> tuple[list[str], list[str]]:
    """Paragraphs on data, network, inference and evaluation; and the references in the order of their numbers.

    `made` has the decisions `postprocessing` and `inference`, and also `plan` if the study trained its own model;
    `card` is the model's card, `measured` states whether metrics exist, and `trained_steps` has the number of training
    steps of each network.
    """
    cite = Citations()
    postprocessing, infer = values_of(made["postprocessing"]), values_of(made["inference"])
    if "plan" in made:
        decided = values_of(made["plan"])
        paragraphs = [_data(config, decided, cohort, cite), _training(config, decided, card.versions, cite)]
        paragraphs[-1] += _stopped(config["train"], trained_steps)
    else:
        paragraphs = [_given_model(card, cohort, config["cases"]["source"])]
    paragraphs.append(_inference(postprocessing, infer, given="plan" not in made))
    if measured:
        paragraphs.append(_evaluation(config, cite))
    paragraphs.append(
        f"All steps ran in a Snakemake workflow{cite('Mölder 2021')}, ctseg, with the seed {config['seed']}; the "
        "software's versions are listed below."
    )
    return paragraphs, [REFERENCES[key] for key in cite.keys]


def _cited(entry: Entry, cite: Citations) -> str:
    """Description of an entry of a catalogue, with its references."""
    return f"{entry.description}{cite(*entry.cite)}"


def _scans(cohort: pd.DataFrame, source: str) -> str:
    """Numbers of scans and patients, in words."""
    return f"{counted(len(cohort), 'CT scan')} of {counted(cohort['patient'].nunique(), subjects(source))}"


def _given_model(card: ModelCard, cohort: pd.DataFrame, source: str) -> str:
    """Paragraph on scans and model of a study that trains no network."""
    prepared = card.preparation
    return (
        f"{_scans(cohort, source)} were segmented with a model for {', '.join(card.labels)} from another study, in "
        f"which it was trained on {card.training_data} (hash of these training data "
        f"{card.training_hash[:16]}). Scans were resampled linearly to voxels of "
        f"{_listed(prepared.spacing_xyz_mm)} mm."
    )


def _listed(values: Any, between: str = " × ") -> str:
    """Numbers joined by `between`, as text."""
    return between.join(f"{value:g}" for value in values)


def _data(config: Mapping[str, Any], decided: Mapping[str, Any], cohort: pd.DataFrame, cite: Citations) -> str:
    """Paragraph on scans, splits and preprocessing."""
    counts = cohort["split"].value_counts()
    splits = ", ".join(f"{counts[split]} for {name}" for split, name in SPLIT_NAMES.items() if split in counts)
    folds, source = config["split"]["folds"], config["cases"]["source"]
    archive = ARCHIVES.get(source)
    origin = f" from {_cited(archive, cite)}" if archive else ""
    # A table and nnU-Net's folders may define the splits, or a part of them.
    drawn = f"{'' if source in ('table', 'nnunet') else 'at random '}by {subjects(source)}"
    crossed = f" {folds}-fold cross-validation was used on the training cases." if folds > 1 else ""
    low, high = decided["window_hu"]
    inside = "cropped to the lung field with a margin and " if decided["region"] == "lungs" else ""
    return (
        f"{_scans(cohort, source)}{origin} were split {drawn}: {splits}."
        f"{crossed} "
        f"Scans were {inside}resampled linearly to voxels of {_listed(decided['spacing_mm'])} mm; CT numbers were "
        f"clipped to {low:g} to {high:g} HU. Masks were interpolated class by class; a voxel was assigned "
        "to the class that covers more than half of it."
    )


SPLIT_NAMES = {"train": "training", "val": "validation", "test": "testing", "predict": "prediction only"}


def _training(
    config: Mapping[str, Any], decided: Mapping[str, Any], versions: Mapping[str, str], cite: Citations
) -> str:
    """Paragraph on the network and its training."""
    train, network, augment = config["train"], config["network"], config["augment"]
    architecture, loss = NETWORKS[kind_name(network["architecture"])], LOSSES[train["loss"]]
    optimiser = OPTIMISERS[train["optimiser"]]
    n_networks = config["split"]["folds"] * train["repeats"]
    ensemble = f" {n_networks} networks were trained and their probabilities averaged." if n_networks > 1 else ""
    changes = [text.format(augment[key]) for key, text in CHANGES.items() if augment[key]]
    changes += [f"mirroring along {', '.join(augment['flip_axes'])}"] if augment["flip_axes"] else []
    coarser = max(decided["stem"]) > 1
    stem = f" and a first level that divides the resolution by {_listed(decided['stem'])}" if coarser else ""
    averaged = "the moving average of " if train["ema_decay"] else ""
    return (
        f"The network was {_cited(architecture, cite)} with {_listed(decided['channels'], ', ')} features{stem}, "
        f"implemented in MONAI {versions.get('monai', '')}{cite('Cardoso 2022')} and PyTorch "
        f"{versions.get('torch', '')}. It was trained "
        f"on patches of {_listed(decided['patch_size'])} voxels in batches of {decided['batch_size']}, "
        f"{train['foreground_probability']:.0%} of them centred on a target (a component drawn in proportion to its "
        f"volume to the power of {train['volume_exponent']:g}), for at most {train['steps']} steps of "
        f"{_cited(optimiser, cite)} (learning rate {train['learning_rate']:g}, {train['schedule']} decay "
        f"after {train['warmup_steps']} steps of warm-up, weight decay {train['weight_decay']:g}), with the mean of "
        f"{_cited(loss, cite)} as the loss (weight of the first: {train['dice_weight']:g}). Augmentation: "
        f"{', '.join(changes) or 'none'}. Every {train['validate_every']} steps the validation cases were segmented by "
        f"sliding window, to keep {averaged}the weights with the best Dice.{ensemble}"
    )


def _stopped(train: Mapping[str, Any], trained_steps: Sequence[int]) -> str:
    """Sentence on early stopping, with a leading space."""
    early = [steps for steps in trained_steps if steps < train["steps"]]
    rule = f" Training was to stop after {train['patience']} validations without a rise of the smoothed Dice"
    if not early:
        return f"{rule}; this did not occur, and all {train['steps']} steps were done."
    reached = " to ".join(str(steps) for steps in sorted({min(early), max(early)}))
    if len(trained_steps) == 1:
        return f"{rule}; it stopped after {reached} steps."
    return f"{rule}; {len(early)} of {len(trained_steps)} networks stopped early, after {reached} steps."


def _inference(decided: Mapping[str, Any], infer: Mapping[str, Any], given: bool) -> str:
    """Paragraph on inference and postprocessing."""
    window = (
        "the size of the training patches" if infer["window"] == "patch" else "the largest size that fits the memory"
    )
    smallest = f"; components below {decided['min_volume_mm3']:g} mm³ were removed" if decided["min_volume_mm3"] else ""
    largest = "; only the largest component of a class was kept" if decided["keep_largest"] else ""
    outside = "; components outside the lung field were removed" if decided["restrict_to_region"] else ""
    origin = "Automatic settings were chosen on cases that the network was not trained on."
    if given:
        origin = "Automatic settings are those of the model file."
    mirrored = f", averaged over mirror images along {infer['mirror_axes']}" if infer["mirror_axes"] else ""
    return (
        f"Scans were segmented by sliding windows of {window} with an overlap of {infer['overlap']:.0%} of a patch and "
        f"Gaussian weights, in {infer['precision']}{mirrored}. Probabilities were interpolated linearly to the grid of "
        f"the scan and cut at a threshold of {decided['threshold']:g}{smallest}{largest}{outside}. {origin}"
    )


def _evaluation(config: Mapping[str, Any], cite: Citations) -> str:
    """Paragraph on metrics and statistics, with all metrics of the catalogue that the study measures."""
    measure = config["measure"]
    tolerances = " and ".join(f"{value:g}" for value in measure["tolerances_mm"])
    advised = cite("Maier-Hein 2024")
    overlap, surface = _named("overlap", ", ", cite), _named("surface", ", ", cite)
    lesions, moved = _named("lesions", ", ", cite), _named("stability", " and the ", cite)
    text = (
        f"Segmentations were compared with the labels on the grid of each scan, as Metrics Reloaded advises{advised}: "
        f"{overlap}, {surface} (tolerance of the surface Dice: {tolerances} mm). For lesions the table has {lesions}; "
        "a lesion counts as found if a component overlaps it by an intersection over union of at least "
        f"{measure['lesion_iou']:g}, one to one."
    )
    if measure["probabilities"]:
        text += (
            f" Calibration was measured by the {_named('calibration', ' and the ', cite)} in ten bins within 10 mm of "
            "the target's box; FROC curves rank the components by their mean probability."
        )
    if measure["stability"]:
        text += f" The {moved} describe how a segmentation changes with the network's grid shifted by half a voxel."
    over = subjects(config["cases"]["source"])
    return (
        f"{text} Cases with the target in neither label nor segmentation were left out of the mean Dice. Intervals are "
        f"95 % intervals over {over}s: of means by Student's t with a jackknife over {over}s, extended to the interval "
        f"on the logit or logarithmic scale where values have a bound; of shares of lesions by Clopper and Pearson"
        f"{cite('Clopper 1934')} with the effective number of lesions{cite('Korn 1998')}; of numbers per scan by "
        f"Garwood{cite('Garwood 1936')} in the same way."
    )


def _named(family: str, between: str, cite: Citations) -> str:
    """Descriptions of the metrics of a family; each reference is cited once, at the first metric that has it."""
    sources: dict[str, None] = {}
    cited = {}
    for metric in of_family(family):
        cited[metric.description] = cite(*(key for key in metric.cite if key not in sources))
        sources |= dict.fromkeys(metric.cite)
    return between.join(f"{description}{numbers}" for description, numbers in cited.items())
