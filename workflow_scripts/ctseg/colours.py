"""Colours of figures and of DICOM objects."""

# Okabe and Ito's colours, which readers with a colour vision deficiency can distinguish.
BLUE, ORANGE, GREEN, PURPLE, RED, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
CLASSES = (ORANGE, SKY, GREEN, PURPLE, RED, BLUE)  # classes of a segmentation; the first colour is that of overlays


def class_colour(number: int) -> str:
    """The colour of a class, counted from 1, as `#RRGGBB`; colours repeat from the seventh class on."""
    return CLASSES[(number - 1) % len(CLASSES)]
