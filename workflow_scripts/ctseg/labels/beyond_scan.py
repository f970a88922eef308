"""Structures that reach out of the scan, as a couch or the outer contour does, and those that are not of it."""

from dataclasses import dataclass

from ctseg.errors import LabelError

ELSEWHERE = 0.499  # share of a structure beyond the scan, from which on it is taken for that of another one: half
POLICIES = ("cut", "refuse")


@dataclass(frozen=True)
class Beyond:
    """How much of a structure lies beyond the scan: so many of its parts, and which share of its area or voxels."""

    parts: int
    of: int
    kind: str  # "contours", "pixels", "voxels"
    share: float
    furthest_mm: float

    @property
    def text(self) -> str:
        """In words."""
        reach = "reaches" if self.parts == 1 else "reach"
        return f"{self.parts} of {self.of} {self.kind} {reach} beyond the scan, by up to {self.furthest_mm:.3g} mm"


def require_inside(
    beyond: Beyond, policy: str, name: str, image_name: str, covered: str, image_covers: str
) -> list[str]:
    """Sentences on what lies beyond the scan and was cut; nothing where all of it is inside.

    `covered` and `image_covers` are boxes in words. Raises LabelError where half of the structure or more lies beyond
    the scan, and with the policy "refuse" where any of it does.
    """
    if not beyond.parts:
        return []
    if not beyond.share < ELSEWHERE:  # NaN, of coordinates without bounds, is elsewhere
        raise LabelError(
            f"{name} lies outside of {image_name}: {beyond.kind} over {covered}, the image over {image_covers}; "
            f"{beyond.text}, {beyond.share:.0%} of it in all; they must come from the same scan"
        )
    if policy == "refuse":
        raise LabelError(
            f"{name} extends beyond {image_name}: {beyond.text}, {beyond.share:.1%} of it in all; correct it, or set "
            "convert.beyond_scan: cut to use the part inside"
        )
    return [f"{beyond.text}; the part beyond was cut (convert.beyond_scan)"]
