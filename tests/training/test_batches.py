"""Batches depend only on their number, not on the process or time of their creation."""

import threading
from dataclasses import replace

import pytest
import torch

from ctseg.training.batches import FEW_THREADS, Prefetch, Share, batch_maker, batches, holds_volumes
from ctseg.training.random_changes import AugmentSettings
from training_data import SETTINGS, make_case

CASES = [make_case(0, second_class=True), make_case(1, second_class=True)]
CPU = torch.device("cpu")
FOUR = replace(SETTINGS, batch_size=4, n_classes=2)


def test_a_batch_follows_from_seed_and_number_alone():
    first, again = batch_maker(CASES, FOUR, CPU, Share()), batch_maker(CASES, FOUR, CPU, Share())
    for index in (5, 0):
        for one, other in zip(first(index), again(index), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert (first(0)[0] != first(1)[0]).any()
    assert (first(0)[0] != batch_maker(CASES, replace(FOUR, seed=2), CPU, Share())(0)[0]).any()


@pytest.mark.parametrize(
    ("device", "data_on", "free_bytes", "there"),
    [
        ("cpu", "gpu", 1e9, False),
        ("cuda", "disk", 1e9, False),
        ("cuda", "gpu", 0, True),
        ("cuda", "auto", 1e9, True),
        ("cuda", "auto", 1e5, False),
    ],
)
def test_cases_lie_on_the_gpu_where_they_leave_the_network_enough(monkeypatch, device, data_on, free_bytes, there):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free_bytes, 2 * free_bytes))
    assert holds_volumes(torch.device(device), CASES, data_on) is there


def test_shares_of_two_processes_are_the_batch_of_one():
    whole = batch_maker(CASES, FOUR, CPU, Share())(3)
    shares = [batch_maker(CASES, FOUR, CPU, Share(rank, 2))(3) for rank in range(2)]
    for kind in range(2):
        torch.testing.assert_close(whole[kind][0::2], shares[0][kind], rtol=0, atol=0)
        torch.testing.assert_close(whole[kind][1::2], shares[1][kind], rtol=0, atol=0)


def test_images_are_scaled_and_each_class_has_its_mask():
    plain = replace(FOUR, augment=AugmentSettings(()), foreground_probability=1.0)
    images, targets = batch_maker(CASES, plain, CPU, Share())(0)
    assert images.shape == (4, 1, 8, 8, 8)
    assert targets.shape == (4, 2, 8, 8, 8)
    assert images.min() >= -1
    assert images.max() <= 1
    target = (100 + 300) / 700  # 100 HU in the window −1000…400
    ball = targets.sum(1, keepdim=True) > 0
    torch.testing.assert_close(images[ball], torch.full((int(ball.sum()),), target))


def test_the_next_batch_is_made_while_one_is_used():
    made, begun = [], threading.Event()

    def make(index):
        made.append(index)
        if index == 1:
            begun.set()
        return index

    prefetch = Prefetch(make)
    assert prefetch(0) == 0
    assert begun.wait(timeout=10)
    assert [prefetch(1), prefetch(2), prefetch(7), prefetch(8)] == [1, 2, 7, 8]
    assert made[:3] == [0, 1, 2]
    assert made.count(1) == made.count(2) == made.count(8) == 1


@pytest.mark.parametrize(("threads", "ahead"), [(1, False), (FEW_THREADS + 1, True)])
def test_batches_are_made_ahead_only_where_the_network_leaves_a_core(monkeypatch, threads, ahead):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert isinstance(batches(lambda index: index, CPU), Prefetch) is ahead


def test_on_a_gpu_batches_are_made_ahead_and_handed_over_when_they_are_asked_for(monkeypatch):
    handed = []

    def as_on_a_stream(make, device):
        return lambda index: lambda: handed.append(index) or make(index)

    monkeypatch.setattr("ctseg.training.batches.on_own_stream", as_on_a_stream)
    batch = batches(lambda index: 10 * index, torch.device("cuda"))
    assert [batch(0), batch(1)] == [0, 10]
    assert handed == [0, 1]


def test_an_error_in_the_background_is_not_lost():
    def broken(index):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        Prefetch(broken)(0)


def test_a_promised_target_is_in_patches_that_are_turned_and_zoomed_too():
    """The sources of such patches are longer than the whole scan."""
    turned = AugmentSettings((), rotate_degrees=30, tilt_degrees=30, scale=0.3)
    settings = replace(SETTINGS, augment=turned, batch_size=2, patch_zyx=(16, 16, 16), foreground_probability=1.0)
    make = batch_maker([make_case(0)], settings, CPU, Share())
    held = torch.cat([make(index)[1].flatten(1).any(dim=1) for index in range(40)])
    assert held.float().mean() > 0.95
