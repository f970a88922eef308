import numpy as np

from ctseg.preprocessing.foreground import Foreground, read_foreground, write_foreground


def test_what_was_written_is_read_also_where_a_class_has_no_voxel(tmp_path):
    written = (
        Foreground(np.array([7, 2**33]), np.array([1, 1]), np.array([1, 90])),
        Foreground(np.array([], np.int64), np.array([], np.int64), np.array([], np.int64)),
    )
    write_foreground(written, tmp_path / "a.npz")
    found = read_foreground(tmp_path / "a.npz")
    assert len(found) == 2
    for one, other in zip(found, written, strict=True):
        for name, array in vars(other).items():
            np.testing.assert_array_equal(getattr(one, name), array)
            assert getattr(one, name).dtype == array.dtype
