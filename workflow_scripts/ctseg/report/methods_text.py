"""The methods of a study as text for a paper, with its own values, and what to cite."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ctseg.decisions import Stored, values_of
from ctseg.evaluation.summary import RESAMPLES

ARCHITECTURES = {
    "unet": ("a 3-D U-Net with residual units", ["Çiçek 2016", "Kerfoot 2018"]),
    "dynunet": ("a 3-D U-Net of nnU-Net's design (DynUNet)", ["Çiçek 2016", "Isensee 2021"]),
    "segresnet": ("SegResNet, a residual encoder and decoder", ["Myronenko 2018"]),
}
LOSSES = {
    "dice_bce": ("Dice and cross-entropy", []),
    "dice_focal": ("Dice and focal cross-entropy", ["Lin 2017"]),
    "tversky_bce": ("the Tversky loss and cross-entropy", ["Salehi 2017"]),
}
OPTIMISERS = {"adamw": ("AdamW", ["Loshchilov 2019"]), "sgd": ("stochastic gradient descent with momentum", [])}
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
REFERENCES = {
    "Cardoso 2022": "Cardoso MJ, et al. MONAI: an open-source framework for deep learning in healthcare. "
    "arXiv:2211.02701, 2022.",
    "Çiçek 2016": "Çiçek Ö, et al. 3D U-Net: learning dense volumetric segmentation from sparse annotation. "
    "MICCAI 2016.",
    "Efron 1979": "Efron B. Bootstrap methods: another look at the jackknife. Annals of Statistics 1979; 7: 1–26.",
    "Guo 2017": "Guo C, et al. On calibration of modern neural networks. ICML 2017.",
    "Isensee 2021": "Isensee F, et al. nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nature Methods 2021; 18: 203–211.",
    "Kerfoot 2018": "Kerfoot E, et al. Left-ventricle quantification using residual U-Net. STACOM 2018.",
    "Kirillov 2019": "Kirillov A, et al. Panoptic segmentation. CVPR 2019.",
    "Lin 2017": "Lin TY, et al. Focal loss for dense object detection. ICCV 2017.",
    "Loshchilov 2019": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019.",
    "Maier-Hein 2024": "Maier-Hein L, et al. Metrics reloaded: recommendations for image analysis validation. "
    "Nature Methods 2024; 21: 195–212.",
    "Myronenko 2018": "Myronenko A. 3D MRI brain tumor segmentation using autoencoder regularization. BrainLes 2018.",
    "Mölder 2021": "Mölder F, et al. Sustainable data analysis with Snakemake. F1000Research 2021; 10: 33.",
    "Nikolov 2021": "Nikolov S, et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. "
    "Journal of Medical Internet Research 2021; 23: e26151.",
    "Salehi 2017": "Salehi SSM, et al. Tversky loss function for image segmentation using 3D fully convolutional deep "
    "networks. MLMI 2017.",
}


class Citations:
    """Numbers of references in the order in which they are cited."""

    def __init__(self) -> None:
        """Begin without any."""
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        """The numbers of some references in square brackets, or nothing for none."""
        self.keys += [key for key in keys if key not in self.keys]
        return f" [{', '.join(str(self.keys.index(key) + 1) for key in keys)}]" if keys else ""


def methods(
    config: Mapping[str, Any], made: Mapping[str, Stored], cohort: pd.DataFrame, card: Mapping[str, Any], measured: bool
) -> tuple[list[str], list[str]]:
    """Paragraphs on data, network, inference and evaluation; and the references in the order of their numbers.

    `made` has the decisions `cleaning` and `inference`, and `plan` where the study trained its model itself; `card` is
    the model's.
    """
    cite = Citations()
    cleaning, infer = values_of(made["cleaning"]), values_of(made["inference"])
    if "plan" in made:
        decided = values_of(made["plan"])
        paragraphs = [_data(config, decided, cohort), _training(config, decided, card["versions"], cite)]
    else:
        paragraphs = [_given_model(card, cohort)]
    paragraphs.append(_inference(cleaning, infer))
    if measured:
        paragraphs.append(_evaluation(config, cite))
    paragraphs.append(
        f"All steps ran in a Snakemake workflow{cite('Mölder 2021')}, ctseg, with the seed {config['seed']}; the "
        "software's versions are listed below."
    )
    return paragraphs, [REFERENCES[key] for key in cite.keys]


def _given_model(card: Mapping[str, Any], cohort: pd.DataFrame) -> str:
    """Scans and model of a study that trains nothing."""
    prepared = card["preparation"]
    return (
        f"{len(cohort)} CT scans of {cohort['patient'].nunique()} patients were segmented with a model for "
        f"{', '.join(card['labels'])} that had been trained on {card['training_cases']} other scans (hash of its "
        f"training data {card['training_hash'][:16]}). Scans were resampled linearly to voxels of "
        f"{_listed(prepared['spacing_xyz_mm'])} mm."
    )


def _listed(values: Any, between: str = " × ") -> str:
    """Numbers of an axis each, as in a text."""
    return between.join(f"{value:g}" for value in values)


def _data(config: Mapping[str, Any], decided: Mapping[str, Any], cohort: pd.DataFrame) -> str:
    """Scans, splits and preprocessing."""
    counts = cohort["split"].value_counts()
    splits = ", ".join(f"{counts[split]} for {name}" for split, name in SPLIT_NAMES.items() if split in counts)
    folds = config["split"]["folds"]
    drawn = "at random by patient" if config["cases"]["source"] != "table" else "by patient"
    crossed = f" {folds}-fold cross-validation was done on the training cases." if folds > 1 else ""
    low, high = decided["window_hu"]
    inside = "cropped to the lung field with a margin and " if decided["region"] == "lungs" else ""
    return (
        f"{len(cohort)} CT scans of {cohort['patient'].nunique()} patients were split {drawn}: {splits}.{crossed} "
        f"Scans were {inside}resampled linearly to voxels of {_listed(decided['spacing_mm'])} mm; CT numbers were "
        f"clipped to {low:g} to {high:g} HU. Masks were interpolated class by class, and a voxel belongs "
        "to the class that covers more than half of it."
    )


SPLIT_NAMES = {"train": "training", "val": "validation", "test": "testing", "predict": "prediction alone"}


def _training(
    config: Mapping[str, Any], decided: Mapping[str, Any], versions: Mapping[str, str], cite: Citations
) -> str:
    """The network and how it was trained."""
    train, network, augment = config["train"], config["network"], config["augment"]
    architecture, sources = ARCHITECTURES[network["architecture"]]
    loss, loss_sources = LOSSES[train["loss"]]
    optimiser, optimiser_sources = OPTIMISERS[train["optimiser"]]
    n_networks = config["split"]["folds"] * train["repeats"]
    ensemble = f" {n_networks} networks were trained and their probabilities averaged." if n_networks > 1 else ""
    changes = [text.format(augment[key]) for key, text in CHANGES.items() if augment[key]]
    changes += [f"mirroring along {', '.join(augment['flip_axes'])}"] if augment["flip_axes"] else []
    averaged = "the moving average of " if train["ema_decay"] else ""
    return (
        f"The network was {architecture}{cite(*sources)} with {_listed(decided['channels'], ', ')} features, "
        f"implemented in MONAI {versions.get('monai', '')}{cite('Cardoso 2022')} and PyTorch "
        f"{versions.get('torch', '')}. It was trained "
        f"on patches of {_listed(decided['patch_size'])} voxels in batches of {decided['batch_size']}, "
        f"{train['foreground_probability']:.0%} of them centred on a target (a component drawn by its volume to the "
        f"power of {train['volume_exponent']:g}), for at most {train['steps']} steps of "
        f"{optimiser}{cite(*optimiser_sources)} (learning rate {train['learning_rate']:g}, {train['schedule']} decay "
        f"after {train['warmup_steps']} steps of warm-up, weight decay {train['weight_decay']:g}), with the mean of "
        f"{loss}{cite(*loss_sources)} as the loss (weight of the first: {train['dice_weight']:g}). Augmentation: "
        f"{', '.join(changes) or 'none'}. Every {train['validate_every']} steps the validation cases were segmented by "
        f"sliding window; {averaged}the weights with the best smoothed Dice were kept, and training stopped early "
        f"after {train['patience']} validations without a rise.{ensemble}"
    )


def _inference(decided: Mapping[str, Any], infer: Mapping[str, Any]) -> str:
    """From a scan to its segmentation."""
    window = "the size of the training patches" if infer["window"] == "patch" else "as large as memory allowed"
    smallest = f"; components below {decided['min_volume_mm3']:g} mm³ were removed" if decided["min_volume_mm3"] else ""
    largest = "; only the largest component of a class was kept" if decided["keep_largest"] else ""
    outside = "; components away from the lung field were removed" if decided["restrict_to_region"] else ""
    mirrored = f", averaged over mirror images along {infer['mirror_axes']}" if infer["mirror_axes"] else ""
    return (
        f"Scans were segmented by sliding windows of {window} with an overlap of {infer['overlap']:.0%} of a patch and "
        f"Gaussian weights, in {infer['precision']}{mirrored}. Probabilities were interpolated linearly to the grid of "
        f"the scan, and voxels of at least {decided['threshold']:g} taken{smallest}{largest}{outside}. What the config "
        "leaves open of these was chosen on cases that the network was not trained on."
    )


def _evaluation(config: Mapping[str, Any], cite: Citations) -> str:
    """Metrics and statistics."""
    measure = config["measure"]
    tolerances = " and ".join(f"{value:g}" for value in measure["tolerances_mm"])
    metrics = (
        f"Segmentations were compared with the labels on the grid of each scan, as Metrics Reloaded advises"
        f"{cite('Maier-Hein 2024')}: Dice, intersection over union, volume error, surface Dice at {tolerances} mm, "
        f"HD95 and mean surface distance{cite('Nikolov 2021')}; a lesion counts as found if a component overlaps it by "
        f"an intersection over union of at least {measure['lesion_iou']:g}, one to one; panoptic quality"
        f"{cite('Kirillov 2019')}."
    )
    calibration = (
        " Calibration was measured by the Brier score and the expected calibration error in ten bins"
        f"{cite('Guo 2017')} within 10 mm of the target's box, and FROC curves over thresholds of the probability."
        if measure["probabilities"]
        else ""
    )
    return (
        f"{metrics}{calibration} Cases in which neither has the target were left out of mean Dice. Intervals are 95 % "
        f"percentile bootstrap intervals of the mean over patients, with {RESAMPLES} resamples{cite('Efron 1979')}."
    )
