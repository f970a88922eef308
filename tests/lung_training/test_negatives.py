import numpy as np
import pytest

from ctseg.lung_training.negatives import NEGATIVES


@pytest.mark.parametrize("kind", NEGATIVES)
def test_a_body_without_lungs_has_something_and_no_lung(kind):
    body = NEGATIVES[kind](np.random.default_rng(3))
    assert not body.sides.any()
    assert body.hu.dtype == np.float32
    assert (body.hu > -300).any()
    again = NEGATIVES[kind](np.random.default_rng(3))
    np.testing.assert_array_equal(body.hu, again.hu)
