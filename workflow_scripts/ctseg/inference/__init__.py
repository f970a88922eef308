"""Inference: from a scan and a model file to a segmentation on the scan's grid."""
