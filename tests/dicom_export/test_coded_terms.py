"""Coded DICOM terms for the names of classes."""

import pytest

from ctseg.dicom_export.coded_terms import ABNORMAL, STRUCTURE, TERMS, UNKNOWN, term_of


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("nodule", "Nodule"),
        ("liver_tumor", "Neoplasm"),
        ("GTV_Mass", "Neoplasm"),
        ("Left lung", "Lung"),
        ("kidneys", "Kidney"),
        ("lymph nodes", "Lymph Node"),
        ("bladder", "Bladder"),
        ("gallbladder", "Gallbladder"),
        ("target 7", "Tissue"),
        ("肝脏", "Tissue"),
    ],
)
def test_the_terms_of_common_names(name, meaning):
    assert term_of(name).kind.meaning == meaning


def test_each_term_has_a_category_of_its_own_kind():
    assert term_of("left kidney").category == STRUCTURE
    assert term_of("kidney cyst").category == ABNORMAL  # the disease has priority over the organ
    assert term_of("").kind == UNKNOWN[1]


def test_a_part_of_a_word_is_no_word():
    assert term_of("delivery").kind.meaning == "Tissue"
    assert term_of("lymphnode").kind.meaning == "Tissue"


@pytest.mark.parametrize("pattern", TERMS)
def test_no_term_hides_another(pattern):
    """Each pattern has a name that matches its own term and no earlier one."""
    name = pattern.split("|")[0].replace("u?", "").replace("[ei]", "e").replace(".*", "").replace("o?", "")
    name = name.replace("ae?", "a").replace("?", "")
    assert (term_of(name).category, term_of(name).kind) == TERMS[pattern]
    assert term_of(f"Left {name.upper()} 2") == term_of(name)
