"""What each kind of network can do: the rules that the plan and the checks of the config follow.

Read with the config, so it imports nothing. What is said of a network in words stands in `catalogue.networks`, so that
another wording runs no job again.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkKind:
    """Which settings of the config's section `network` a network takes.

    With `even_strides` each level halves all axes, with `doubling` features double from level to level, and with
    `kernels_vary` kernels need not be 3 along each axis. `deep_supervision` says whether the coarser levels can be
    trained to segment, too; `narrow_end` that the last layers have one feature a label, too few for norm group.
    """

    even_strides: bool = False
    doubling: bool = False
    kernels_vary: bool = False
    deep_supervision: bool = False
    narrow_end: bool = False


KINDS = {
    "unet": NetworkKind(narrow_end=True),
    "dynunet": NetworkKind(kernels_vary=True, deep_supervision=True),
    "segresnet": NetworkKind(even_strides=True, doubling=True),
}
