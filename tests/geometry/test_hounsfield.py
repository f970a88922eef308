import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.geometry.hounsfield import clip_hu, window_limits_hu


def test_windows_come_by_name_or_as_numbers():
    assert window_limits_hu("lung") == (-1000, 400)
    assert window_limits_hu("wide") == (-1350, 800)
    assert window_limits_hu([-20, 300]) == (-20, 300)


@pytest.mark.parametrize("window", ["brain", [100, 100], [5, -5]])
def test_an_unknown_or_empty_window_is_refused(window):
    with pytest.raises(InputError, match="window"):
        window_limits_hu(window)


def test_clipping_rounds_to_whole_hounsfield_units():
    clipped = clip_hu(np.array([-3000.0, -999.6, 0.4, 0.6, 5000.0]), (-1000, 400))
    assert clipped.dtype == np.int16
    assert clipped.tolist() == [-1000, -1000, 0, 1, 400]
