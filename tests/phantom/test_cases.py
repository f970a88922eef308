"""The patients of the phantom have the variations of clinical scans."""

from ctseg.phantom.cases import phantom_case, phantom_has_localizer, phantom_is_feet_first, phantom_label_name

FIRST = range(6)


def test_cases_sort_as_they_are_counted():
    names = [phantom_case(index) for index in range(200)]
    assert names == sorted(set(names))
    assert names[3] == "phantom-003"


def test_a_few_patients_take_every_path_of_the_import():
    kinds = {(phantom_label_name(index), phantom_is_feet_first(index)) for index in FIRST}
    assert kinds == {(name, first) for name in ("rtstruct.dcm", "label.nii.gz") for first in (False, True)}
    assert [index for index in range(20) if phantom_has_localizer(index)] == [2]
