"""Small networks of each architecture."""

from ctseg.network.settings import NetworkSettings

LEVELS = ((2, 2, 2),) * 2, ((3, 3, 3),) * 3


SETTINGS = {
    "unet": NetworkSettings((4, 8, 16), 1, "batch", 0.1, *LEVELS),
    "dynunet": NetworkSettings((4, 8, 16), 0, "instance", 0.1, *LEVELS, "dynunet", deep_supervision=True),
    "coarse dynunet": NetworkSettings(
        (4, 8, 16), 0, "instance", 0.1, *LEVELS, "dynunet", deep_supervision=True, stem_zyx=(2, 2, 2)
    ),
    "segresnet": NetworkSettings((4, 8, 16), 1, "group", 0.1, *LEVELS, "segresnet"),
}
