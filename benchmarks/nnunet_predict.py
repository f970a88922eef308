"""Segment one scan with the predictor of nnU-Net and a network of ctseg; writes labels and seconds.

benchmarks/inference.py runs it with the Python of a separate environment with nnU-Net:

    python benchmarks/nnunet_predict.py NETWORK.ts SCAN.nii.gz OUT.npy --threads 2

Preprocessing, sliding window (overlap 0.5, Gaussian, no mirroring) and export to the scan's grid are those of nnU-Net.
The plan has 1 mm voxels and patches of 96³, and clips and scales HU to the window -1000…400. OUT.json contains the
seconds of the prediction alone, without imports and reading.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from nnunet_timed import shadow_timm  # noqa: E402

WINDOW_HU = (-1000.0, 400.0)
PLANS = {
    "dataset_name": "Dataset001_ct",
    "plans_name": "plans",
    "image_reader_writer": "NibabelIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "foreground_intensity_properties_per_channel": {
        "0": {
            "percentile_00_5": WINDOW_HU[0],
            "percentile_99_5": WINDOW_HU[1],
            "mean": sum(WINDOW_HU) / 2,
            "std": (WINDOW_HU[1] - WINDOW_HU[0]) / 2,
        }
    },
    "configurations": {
        "3d_fullres": {
            "spacing": [1.0, 1.0, 1.0],
            "patch_size": [96, 96, 96],
            "batch_size": 2,
            "architecture": {"network_class_name": "unused", "arch_kwargs": {}, "_kw_requires_import": []},
            "preprocessor_name": "DefaultPreprocessor",
            "normalization_schemes": ["CTNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {
                "is_seg": False,
                "order": 1,
                "order_z": 0,
                "force_separate_z": None,
            },
        }
    },
}


class Logits(torch.nn.Module):
    """The network with the interface of nnU-Net: logits of background and target for normalised HU."""

    def __init__(self, network: torch.jit.ScriptModule) -> None:
        """Wrap `network`, which maps HU to probabilities."""
        super().__init__()
        self.network = network

    def forward(self, scaled: torch.Tensor) -> torch.Tensor:
        """Logits [batch, 2, z, y, x] of scaled HU [batch, 1, z, y, x]."""
        low, high = WINDOW_HU
        logits = torch.logit(self.network(scaled * ((high - low) / 2) + (low + high) / 2), eps=1e-6)
        return torch.cat([torch.zeros_like(logits), logits], dim=1)


def main() -> None:
    """Predict, and write labels and seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("scan", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shadow_timm()
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    network = Logits(torch.jit.load(str(given.network)).eval())
    plans = PlansManager(PLANS)
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    description = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "target": 1}, "file_ending": ".nii.gz"}
    configuration = plans.get_configuration("3d_fullres")
    predictor.manual_initialization(network, plans, configuration, [network.state_dict()], description, "none", None)
    image = nib.Nifti1Image.from_filename(given.scan)
    voxels = np.asarray(image.dataobj, dtype=np.float32).T[None]
    spacing = [float(value) for value in image.header.get_zooms()[:3][::-1]]
    start = time.perf_counter()
    labels = predictor.predict_single_npy_array(voxels, {"spacing": spacing}, None, None, False)
    seconds = time.perf_counter() - start
    np.save(given.out, labels)
    given.out.with_suffix(".json").write_text(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
