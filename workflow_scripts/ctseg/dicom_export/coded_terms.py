"""The coded terms for classes of a segmentation: SNOMED CT, as DICOM uses it (PS3.16 CID 7150 and 7151)."""

import re
from dataclasses import dataclass

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

STRUCTURE, ABNORMAL = codes.SCT.AnatomicalStructure, codes.SCT.MorphologicallyAbnormalStructure
# Terms by the pattern of a word in a class's name. The first match counts, so that a liver tumour is a tumour.
TERMS = {
    "nodule": (ABNORMAL, codes.SCT.Nodule),
    "tumou?r|neoplasm|cancer|carcinoma|metastas[ei]s|gtv.*": (ABNORMAL, codes.SCT.Neoplasm),
    "mass": (ABNORMAL, codes.SCT.Mass),
    "cyst": (ABNORMAL, codes.SCT.Cyst),
    "lesion": (ABNORMAL, codes.SCT.Lesion),
    "node|lymph": (STRUCTURE, codes.SCT.LymphNode),
    "spleen": (STRUCTURE, codes.SCT.Spleen),
    "gallbladder": (STRUCTURE, codes.SCT.Gallbladder),
    "liver": (STRUCTURE, codes.SCT.Liver),
    "lung": (STRUCTURE, codes.SCT.Lung),
    "kidney": (STRUCTURE, codes.SCT.Kidney),
    "pancreas": (STRUCTURE, codes.SCT.Pancreas),
    "adrenal": (STRUCTURE, codes.SCT.AdrenalGland),
    "heart": (STRUCTURE, codes.SCT.Heart),
    "aorta": (STRUCTURE, codes.SCT.Aorta),
    "trachea": (STRUCTURE, codes.SCT.Trachea),
    "carina": (STRUCTURE, codes.SCT.Carina),
    "o?esophagus": (STRUCTURE, codes.SCT.Esophagus),
    "stomach": (STRUCTURE, codes.SCT.Stomach),
    "duodenum": (STRUCTURE, codes.SCT.Duodenum),
    "colon": (STRUCTURE, codes.SCT.Colon),
    "bladder": (STRUCTURE, codes.SCT.Bladder),
    "prostate": (STRUCTURE, codes.SCT.Prostate),
    "thyroid": (STRUCTURE, codes.SCT.Thyroid),
    "brain": (STRUCTURE, codes.SCT.Brain),
    "vertebrae?": (STRUCTURE, codes.SCT.Vertebra),
    "rib": (STRUCTURE, codes.SCT.Rib),
    "bone": (STRUCTURE, codes.SCT.Bone),
}
UNKNOWN = (codes.SCT.Tissue, codes.SCT.Tissue)


@dataclass(frozen=True)
class Term:
    """The codes of a class: its category and its kind."""

    category: Code
    kind: Code


def term_of(name: str) -> Term:
    """The term for a class by the words of its name, in the singular or plural; `Tissue` if no word is known."""
    words = re.split(r"[\W_]+", name.casefold())
    for pattern, term in TERMS.items():
        if any(re.fullmatch(f"(?:{pattern})(?:s|es)?", word) for word in words):
            return Term(*term)
    return Term(*UNKNOWN)
