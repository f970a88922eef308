"""Voxel of a case that is displayed first."""

import numpy as np

from ctseg.masks.focus import focus_zyx

SHAPE = (20, 24, 28)


def test_the_slice_with_most_target_is_shown_by_the_label_if_there_is_one():
    prediction, reference = np.zeros((2, *SHAPE), bool)
    assert focus_zyx(None, prediction) == (10, 12, 14)
    prediction[3, 5, 6] = prediction[7, 8:11, 9:12] = True
    assert focus_zyx(None, prediction) == focus_zyx(reference, prediction) == (7, 9, 10)
    reference[15, 1, 1] = True
    assert focus_zyx(reference, prediction) == (15, 1, 1)


def test_the_place_that_is_shown_lies_in_the_target_whatever_its_shape():
    ring = np.zeros(SHAPE, bool)
    ring[4, 2:20, 2:20] = True
    ring[4, 4:18, 4:18] = False
    assert ring[focus_zyx(None, ring)]


def test_all_classes_of_a_label_map_count_alike():
    label = np.zeros(SHAPE, np.uint8)
    label[4, 2:6, 2:6] = 1
    label[9, 2:5, 2:5] = 2
    assert focus_zyx(None, label)[0] == 4
