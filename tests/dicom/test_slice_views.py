"""View of slices (axial, coronal, sagittal), by their normal or by the coarsest axis of a file."""

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ctseg.dicom.slice_views import view_by_spacing, view_of

VIEWS = ("sagittal", "coronal", "axial")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("axis", "view"), list(enumerate(VIEWS)))
def test_the_view_is_that_of_the_axis_across(axis, view, sign):
    assert view_of(sign * np.eye(3)[axis]) == view


@pytest.mark.parametrize(("tilt_deg", "view"), [(30, "axial"), (36, "axial"), (38, "oblique"), (45, "oblique")])
def test_a_tilted_gantry_is_axial_and_planes_in_between_are_oblique(tilt_deg, view):
    normal = Rotation.from_euler("x", tilt_deg, degrees=True).apply([0, 0, 1])
    assert view_of(normal) == view_of(-normal) == view


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_coarsest_axis_is_across_the_slices_in_any_order(order):
    spacing_mm, axes = np.array([0.7, 0.8, 3.0]), np.eye(3)
    assert view_by_spacing(axes[:, order], spacing_mm[list(order)]) == "axial"
    for axis, view in enumerate(VIEWS):
        coarse = np.where(np.arange(3) == axis, 3.0, 0.7)
        assert view_by_spacing(axes[:, order], coarse[list(order)]) == view


def test_no_view_where_no_axis_is_coarser_or_the_slices_are_oblique():
    assert view_by_spacing(np.eye(3), (1, 1, 1.19)) is None
    assert view_by_spacing(np.eye(3), (1, 1, 1.21)) == "axial"
    assert view_by_spacing(np.eye(3), (1, 3, 3)) is None
    turned = Rotation.from_euler("x", 45, degrees=True).as_matrix()
    assert view_by_spacing(turned, (1, 1, 3)) is None
