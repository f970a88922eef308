"""Losses, by their names in the config; `train.dice_weight`, `batch_dice` and `class_weights` apply to all."""

from ctseg.catalogue.entry import Entry

LOSSES = {
    "dice_bce": Entry("Dice and cross-entropy"),
    "dice_focal": Entry("Dice and focal cross-entropy", ("Lin 2017",)),
    "tversky_bce": Entry("the Tversky loss and cross-entropy", ("Salehi 2017",)),
}
