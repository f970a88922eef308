"""Names and storage formats of the phantom patients; imports nothing that costs time.

The patients differ on purpose in the same ways as scans from hospitals, so that the default study uses every path of
the import: RTSTRUCT and NIfTI labels, head first and feet first, a localizer among the slices.
"""


def phantom_case(index: int) -> str:
    """The case name of patient `index`, counted from 0: `phantom-003`."""
    return f"phantom-{index:03d}"


def phantom_label_name(index: int) -> str:
    """The file name of the patient's label: RTSTRUCT for even indices, NIfTI for odd ones."""
    return "rtstruct.dcm" if index % 2 == 0 else "label.nii.gz"


def phantom_is_feet_first(index: int) -> bool:
    """Whether the patient was scanned feet first: every third patient, so that both kinds of label occur."""
    return index % 3 == 1


def phantom_has_localizer(index: int) -> bool:
    """Whether a localizer is among the patient's slices: only for patient 2."""
    return index == 2
