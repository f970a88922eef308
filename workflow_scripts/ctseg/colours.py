"""The colours of everything that is drawn, in figures and in DICOM objects."""

# Okabe and Ito's colours, which readers with a colour vision deficiency can tell apart.
BLUE, ORANGE, GREEN, PURPLE, RED, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
CLASSES = (ORANGE, SKY, GREEN, PURPLE, RED, BLUE)  # of a segmentation; the first is that of the overlays


def class_colour(number: int) -> str:
    """The colour of a class, counted from 1, as `#RRGGBB`; from the seventh class on they come again."""
    return CLASSES[(number - 1) % len(CLASSES)]
