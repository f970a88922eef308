"""From a scan and a model file to a segmentation on the grid of the scan."""
