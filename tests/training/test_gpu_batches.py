"""Batches for a GPU, made on a CPU: equal to those made patch by patch, and without reading values back."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctseg.training.augmentation import blur_weights
from ctseg.training.batches import processor_batches
from ctseg.training.gpu_batches import AHEAD, DeviceBatches, on_own_stream, softening
from ctseg.training.gpu_sources import CasesInFiles, CasesOnDevice
from ctseg.training.patch_sampling import PatchSampler
from ctseg.training.random_changes import AugmentSettings, Changes
from ctseg.training.trainer import Trainer
from training_data import SETTINGS, make_case, trainer

CPU, META = torch.device("cpu"), torch.device("meta")
CASES = [make_case(0, second_class=True), make_case(1, size=17, second_class=True)]
EVERYTHING = AugmentSettings(("x", "y", "z"), 15, 10, 0.2, 1, 1, 0.7, 0.2, 0.3, 20, 15)
AUGMENTATIONS = {
    "nothing": AugmentSettings(()),
    "flips": AugmentSettings(("x", "z")),
    "in plane": AugmentSettings(("y",), 30, 0, 0.2),
    "tilted": AugmentSettings((), 15, 15, 0.1),
    "elastic": AugmentSettings(("x",), elastic_mm=1.5),
    "blur": AugmentSettings((), blur_mm=2.0),
    "low resolution": AugmentSettings((), low_resolution=1.5),
    "contrast": AugmentSettings((), contrast=0.4),
    "gamma": AugmentSettings((), gamma=0.4),
    "noise": AugmentSettings((), shift_hu=20, noise_hu=15),
    "everything": EVERYTHING,
}
SIX = replace(SETTINGS, batch_size=6, n_classes=2, patch_zyx=(8, 12, 10), spacing_xyz_mm=(1.0, 1.5, 2.0))


def sampler_of(cases, settings):
    return PatchSampler(cases, settings.foreground_probability, settings.volume_exponent, settings.scaling.low_hu)


def device_batches(settings, device=CPU, in_files=False, numbers=None):
    source = CasesInFiles(device) if in_files else CasesOnDevice(CASES, device)
    return DeviceBatches(sampler_of(CASES, settings), source, settings, numbers or range(settings.batch_size), device)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("in_files", [False, True])
def test_a_batch_is_what_a_processor_makes_patch_by_patch(name, in_files):
    settings = replace(SIX, augment=AUGMENTATIONS[name])
    expected = processor_batches(sampler_of(CASES, settings), settings, range(6))
    found = device_batches(settings, in_files=in_files)
    for index in range(6):
        (image, masks), (other, other_masks) = expected(index), found(index)
        assert image.shape == other.shape
        # In units of the network input, −1…1. At the border of the source patch, rounding may change how a voxel is
        # interpolated.
        off = (image - other).abs()
        assert (off > 2e-3).float().mean() < 2e-3, (index, off.max())
        assert (masks != other_masks).float().mean() < 1e-3


def test_batches_follow_from_their_number_and_shares_make_up_the_whole():
    settings = replace(SIX, augment=EVERYTHING)
    whole, again = device_batches(settings), device_batches(settings)
    shares = [device_batches(settings, numbers=range(rank, 6, 2)) for rank in range(2)]
    for index in (3, 0):
        batch = whole(index)
        for kind in range(2):
            torch.testing.assert_close(again(index)[kind], batch[kind], rtol=0, atol=0)
            for rank, share in enumerate(shares):
                torch.testing.assert_close(share(index)[kind], batch[kind][rank::2], rtol=1e-5, atol=1e-5)
    assert (whole(0)[0] != whole(1)[0]).any()


@pytest.fixture
def faked(monkeypatch):
    """Replace the stock of noise, which needs values, by an empty tensor for the device meta."""
    monkeypatch.setattr(
        "ctseg.training.gpu_batches.stock_of_noise", lambda n_values, device: torch.empty(n_values, device=device)
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_no_batch_waits_for_its_device(faked, name):
    settings = replace(SIX, augment=AUGMENTATIONS[name])
    make = device_batches(settings, META)
    for index in range(5):  # on meta, operations that need a value on the CPU raise an error
        images, targets = make(index)
        assert images.shape == (6, 1, 8, 12, 10)
        assert targets.shape == (6, 2, 8, 12, 10)
        assert images.device == targets.device == META


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulate": 2},
        {"optimiser": "sgd"},
        {"loss": replace(SETTINGS.loss, name="tversky_bce", class_weights=(2.0,), batch_dice=False)},
        {"loss": replace(SETTINGS.loss, exclusive=True), "network": replace(SETTINGS.network, exclusive=True)},
    ],
)
def test_no_step_waits_for_its_device(faked, monkeypatch, changes):
    fused = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}

    def plain(parameters, settings):
        return fused[settings.optimiser](parameters, lr=0.1, foreach=True)  # no fused version exists for meta

    monkeypatch.setattr("ctseg.training.trainer.build_optimiser", plain)
    monkeypatch.setattr("ctseg.training.batches.holds_volumes", lambda *arguments: True)
    run = Trainer([make_case(0)], [make_case(1)], replace(SETTINGS, **changes), "a", META)
    for _ in range(3):
        run._train_step()
    assert len(run.losses) == 3
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        run._mean_loss()


def test_the_loss_is_read_when_it_is_logged():
    run = trainer()
    for _ in range(2):
        run._train_step()
    assert run._mean_loss() == pytest.approx(np.mean([loss.item() for loss in run.losses]))


def test_softening_is_a_matrix_along_each_axis():
    plain = Changes((False,) * 3, None, None, 0.0, None, 1.0, 1.0, 0.0, 0, 0.0)
    np.testing.assert_array_equal(softening(5, 1.0, plain, 0), np.eye(5))
    blurred = softening(9, 2.0, replace(plain, blur_mm=3.0), 0)
    np.testing.assert_allclose(blurred.sum(axis=0), 1, rtol=1e-5)
    weights = blur_weights(1.5)
    assert weights.sum() == pytest.approx(1)
    assert blurred[4, 4] == pytest.approx(weights.max(), rel=1e-5)
    coarse = softening(8, 1.0, replace(plain, coarse_zyx=(4, 8, 8)), 0)
    np.testing.assert_allclose(coarse.sum(axis=0), 1, rtol=1e-6)
    assert np.linalg.matrix_rank(coarse) == 4


class Queue:
    """Stand-in for a CUDA stream: events and waits in the order in which they are queued."""

    def __init__(self, log):
        self.log = log

    def wait_stream(self, other):
        pass

    def wait_event(self, event):
        pass

    def record_event(self, event=None):
        return event or Event(self.log)


class Event:
    def __init__(self, log):
        self.log = log

    def synchronize(self):
        self.log.append(self)


def test_few_batches_wait_for_the_device(monkeypatch):
    """The processor is faster than a GPU that replays recorded steps; batches must not pile up in its memory."""
    waited, made = [], []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Queue(waited))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Queue(waited))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", lambda blocking: made.append(Event(waited)) or made[-1])
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    begin = on_own_stream(lambda index: (torch.full((1,), index), torch.zeros(1)), CPU)
    assert [int(begin(index)()[0]) for index in range(5)] == [0, 1, 2, 3, 4]
    assert waited == made[: 5 - AHEAD]
