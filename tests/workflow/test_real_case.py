"""Segmentation of one real patient, from DICOM to a label map on the grid of the scan, in seconds."""

import numpy as np
import pytest
import torch

from ctseg.export.model_files import export_onnx
from ctseg.geometry.hounsfield import Scaling
from ctseg.inference.engines import load_engine
from ctseg.inference.model_card import InferSettings, ModelCard
from ctseg.inference.predict import predict
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.architectures import SegmentationModel, build_network
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.preparation import Preparation, prepare_image, prepare_label
from ctseg.scans.read_scan import read_scan
from real_data import real_data

pytestmark = pytest.mark.realdata

PREPARATION = Preparation((3.0, 3.0, 5.0), (-160.0, 240.0), "body", 5.0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Engine of a model with random weights; only the positions of its result are meaningful."""
    torch.manual_seed(0)
    network = build_network(NetworkSettings((4, 8), 1, "instance", 0.0, ((2, 2, 2),), ((3, 3, 3),) * 2), n_classes=1)
    card = ModelCard(
        labels=("tumour",),
        preparation=PREPARATION,
        patch_zyx=(16, 32, 32),
        multiple_zyx=(2, 2, 2),
        window_bytes=100.0,
        infer=InferSettings("large", 0.25),
        threshold=0.01,
        postprocess=PostprocessSettings(100.0, False, False),
        n_networks=1,
        training_cases=0,
        training_hash="",
        versions={},
    )
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    export_onnx(SegmentationModel([network.eval()], Scaling.of_window(*PREPARATION.window_hu)), card, path)
    return load_engine(path, threads=2)


def test_a_patient_goes_from_dicom_to_a_segmentation_on_the_scan(engine):
    scan = read_scan(real_data("sarcoma-dicom/STS_002/CT/image"))
    contours = real_data("sarcoma-dicom/STS_002/CT/mask/RS.dcm")
    settings = LabelSettings({"tumour": 1}, {"tumour": ("GTV_Mass_CT",)})
    label = read_label(contours, settings, scan.volume.grid, "scan")
    prepared = prepare_image(scan.volume, None, PREPARATION)
    moved = prepare_label(label, prepared, 1)
    volumes_mm3 = [part.voxels_zyx.sum() * part.grid.voxel_volume_mm3 for part in (label, moved)]
    assert volumes_mm3[1] == pytest.approx(volumes_mm3[0], rel=0.02)
    prediction = predict(scan.volume, engine)
    assert prediction.segmentation.grid == scan.volume.grid
    found = np.count_nonzero(prediction.segmentation.voxels_zyx)
    assert found == sum(row["voxels"] for row in prediction.components) > 0
