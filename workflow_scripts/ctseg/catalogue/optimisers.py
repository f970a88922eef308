"""Optimisers, by their names in the config."""

from ctseg.catalogue.entry import Entry

OPTIMISERS = {
    "adamw": Entry("AdamW", ("Loshchilov 2019",)),
    "sgd": Entry("stochastic gradient descent with momentum"),
}
