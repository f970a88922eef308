"""Check of structures that extend beyond the scan, as a couch does, or that belong to another scan."""

from dataclasses import dataclass

from ctseg.errors import LabelError

ELSEWHERE = 0.499  # share beyond the scan from which a structure is assumed to belong to another scan: half
POLICIES = ("cut", "refuse")


@dataclass(frozen=True)
class Beyond:
    """Part of a structure beyond the scan: `parts` of `of` contours, pixels or voxels; share of area or voxels."""

    parts: int
    of: int
    kind: str  # "contours", "pixels", "voxels"
    share: float
    furthest_mm: float

    @property
    def text(self) -> str:
        """Description for messages."""
        reach = "reaches" if self.parts == 1 else "reach"
        return f"{self.parts} of {self.of} {self.kind} {reach} beyond the scan, by up to {self.furthest_mm:.3g} mm"


def require_inside(
    beyond: Beyond, policy: str, name: str, image_name: str, covered: str, image_covers: str
) -> list[str]:
    """A warning about the part beyond the scan that was cut, or an empty list if the structure is inside.

    `covered` and `image_covers` are texts of the boxes of structure and image. Raises LabelError if half of the
    structure or more is beyond the scan or, with the policy "refuse", if any part is.
    """
    if not beyond.parts:
        return []
    if not beyond.share < ELSEWHERE:  # also true for NaN, from coordinates that are too large
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
