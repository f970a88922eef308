"""Path patterns with {case}, derived from paths."""

import pytest

from ctseg.study.guessed_patterns import guesses

CASES = ("a1", "b2", "c3")


def found(*templates, folders=False):
    paths = [tuple(template.format(c=case).split("/")) for template in templates for case in CASES]
    return {guess.text: sorted(guess.paths) for guess in guesses(paths, folders)}


@pytest.mark.parametrize(
    ("templates", "patterns"),
    [
        (["{c}/image.nii.gz", "{c}/label.nii.gz"], ["{case}/image.nii.gz", "{case}/label.nii.gz"]),
        (["images/{c}.nii.gz", "labels/{c}.nii.gz"], ["images/{case}.nii.gz", "labels/{case}.nii.gz"]),
        (["{c}.nii.gz", "{c}_seg.nii.gz"], ["{case}.nii.gz", "{case}_seg.nii.gz"]),
        (["{c}_ct.nrrd", "{c}-label.seg.nrrd"], ["{case}-label.seg.nrrd", "{case}_ct.nrrd"]),
        (["ct_{c}.mha", "mask_{c}.mha"], ["ct_{case}.mha", "mask_{case}.mha"]),
        (["imagesTr/{c}_0000.nii", "labelsTr/{c}.nii"], ["imagesTr/{case}_0000.nii", "labelsTr/{case}.nii"]),
        (["sub-{c}/ct/sub-{c}_ct.nii.gz"], ["{case}/ct/{case}_ct.nii.gz"]),
        (["{c}/ct.nii.gz", "{c}/masks/liver.nii.gz"], ["{case}/ct.nii.gz", "{case}/masks/liver.nii.gz"]),
    ],
)
def test_a_layout_gives_its_patterns(templates, patterns):
    assert sorted(found(*templates)) == sorted(patterns)


def test_folders_of_series_are_found_by_their_patients():
    assert found("{c}/CT/image", "{c}/CT/mask", folders=True) == {
        "{case}/CT/image": list(CASES),
        "{case}/CT/mask": list(CASES),
    }


def test_folders_that_differ_without_a_meaning_become_a_star():
    paths = [(f"sub-{n}", f"ses-{m}", f"sub-{n}_ses-{m}_ct.nii.gz") for n in (1, 2) for m in (1, 2)]
    assert [guess.text for guess in guesses(paths)] == ["*/*/{case}_ct.nii.gz"]


def test_one_file_is_a_case():
    assert [guess.text for guess in guesses([("only.nii.gz",)])] == ["{case}.nii.gz"]


@pytest.mark.parametrize(
    ("template", "is_label"),
    [("{c}/label.nii", True), ("{c}_tumor.nii", True), ("{c}/masks.nii", True), ("{c}.nii", False)],
)
def test_words_tell_labels(template, is_label):
    [guess] = guesses([tuple(template.format(c=case).split("/")) for case in CASES])
    assert guess.says_label == is_label
