import numpy as np
import pytest

from ctseg.lung_training.bodies import draw_body
from ctseg.lung_training.made_cases import negative_cases, phantom_cases, real_cases, sick_case
from ctseg.lung_training.negatives import NEGATIVES


@pytest.fixture(scope="module")
def body():
    return draw_body(np.random.default_rng(9))


def test_versions_of_a_body_differ_and_repeat(body):
    first, again = (real_cases(5, [body], 2) for _ in range(2))
    assert len(first) == 2
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image_zyx, other.image_zyx)
        np.testing.assert_array_equal(one.sides_zyx, other.sides_zyx)
    assert first[0].image_zyx.shape != first[1].image_zyx.shape or (first[0].image_zyx != first[1].image_zyx).any()


def test_a_case_tells_what_it_shows(body):
    case = sick_case(np.random.default_rng(0), body, ["effusion"])
    assert case.kind == "effusion"
    assert case.added_zyx.any()
    assert sick_case(np.random.default_rng(0), body, []).kind == "healthy"


def test_each_phantom_has_its_versions():
    assert len(phantom_cases(3, bodies=2, versions=2)) == 4


def test_negatives_come_in_turn_and_have_no_lungs(body):
    cases = negative_cases(1, 5, [type(body)(body.hu, np.zeros_like(body.sides))])
    assert [case.kind for case in cases] == [*NEGATIVES, "head", "real, without lungs"]
    assert not any(case.sides_zyx.any() for case in cases)
