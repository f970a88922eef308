"""Parts of a MONAI bundle: the network with a background channel, and the inferer with the steps of `predict`."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from ctseg.bundle.inferer import BundleNetwork, CtsegInferer, scan_of
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.inference.torch_engine import read_torchscript
from ctseg.scans.nifti import LPS_FROM_RAS

TILTED = ((0.0, 1.0, 0.0), (-0.8, 0.0, 0.6), (0.6, 0.0, 0.8))


@pytest.fixture(scope="module")
def network(model_folder):
    """Network of the bundle, with the weights of the model."""
    card, weights = read_torchscript(model_folder / "model.ts")
    built = BundleNetwork(card)
    built.load_state_dict({f"model.{name}": value for name, value in weights.items()})
    return built.eval()


def as_monai(volume):
    """The volume as loaded by LoadImaged of MONAI, in a batch of one: [1, 1, x, y, z], RAS affine."""
    voxels_xyz = np.ascontiguousarray(volume.voxels_zyx.T, dtype=np.float32)
    return MetaTensor(
        torch.from_numpy(voxels_xyz)[None, None], affine=torch.from_numpy(LPS_FROM_RAS @ volume.grid.affine)
    )


def test_a_scan_keeps_its_values_and_its_place():
    grid = Grid((3, 4, 5), (1.0, 2.0, 3.0), (10.0, -20.0, 30.0), TILTED)
    volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5) * 20 - 900, grid)
    scan = scan_of(as_monai(volume))
    np.testing.assert_array_equal(scan.volume.voxels_zyx, volume.voxels_zyx)
    assert scan.volume.grid.matches(grid) and scan.facts["size_xyz"] == [5, 4, 3]


def test_the_mask_is_that_of_predict(network, model_folder, scan):
    engine = load_engine(model_folder / "model.onnx", 1, "torch", "float32")
    turned = Volume(
        scan[0].voxels_zyx, Grid(scan[0].grid.shape_zyx, (2.0, 1.9, 2.1), (5.0, 6.0, 7.0), TILTED).rounded()
    )
    for volume in (scan[0], turned):
        inputs = as_monai(volume)
        labels = CtsegInferer(engine.card)(inputs, network)
        assert (labels.dtype, labels.shape) == (torch.uint8, inputs.shape)
        assert torch.equal(labels.affine, inputs.affine)
        wanted = predict(volume, engine).segmentation.voxels_zyx
        assert wanted.any()
        np.testing.assert_array_equal(labels[0, 0].numpy().T, wanted)


def test_the_background_is_what_no_class_is(network):
    hu = torch.from_numpy(np.random.default_rng(0).normal(-400, 300, (1, 1, 8, 8, 8)).astype(np.float32))
    with torch.inference_mode():
        given, classes = network(hu), network.model(hu)
    assert given.shape == (1, 2, 8, 8, 8)
    torch.testing.assert_close(given[:, :1], 1 - classes)


def test_cautions_are_logged(network, model_folder, caplog):
    card = load_engine(model_folder / "model.onnx", 1).card
    voxels = np.full((20, 20, 20), -400, np.int16)
    voxels[0], voxels[-1, 0, 0] = -1000, 0
    empty = Volume(voxels, Grid((20,) * 3, (2.0,) * 3, (0.0,) * 3, tuple(np.eye(3).tolist())))
    CtsegInferer(card)(as_monai(empty), network)
    assert "nothing was found" in caplog.text


@pytest.mark.parametrize("shape", [(2, 1, 4, 4, 4), (1, 2, 4, 4, 4), (1, 4, 4, 4)])
def test_what_is_no_single_scan_is_refused(shape):
    with pytest.raises(InputError, match="one scan"):
        scan_of(MetaTensor(torch.zeros(shape)))
    with pytest.raises(InputError, match="one scan"):
        scan_of(torch.zeros(1, 1, 4, 4, 4))
