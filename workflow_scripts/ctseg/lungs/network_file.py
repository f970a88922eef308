"""Path of the lung network."""

from pathlib import Path

LUNG_NETWORK = Path(__file__).with_name("lung_network.onnx")
