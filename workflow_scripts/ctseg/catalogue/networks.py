"""Networks in words, by their names in the config. Their abilities are in `network.kinds`, which the plan reads."""

from ctseg.catalogue.entry import Entry

NETWORKS = {
    "unet": Entry("a 3-D U-Net with residual units", ("Çiçek 2016", "Kerfoot 2018")),
    "dynunet": Entry("a 3-D U-Net of nnU-Net's design (DynUNet)", ("Çiçek 2016", "Isensee 2021")),
    "segresnet": Entry("SegResNet, a residual encoder and decoder", ("Myronenko 2018",)),
}
