"""How good segmentations are: metrics of cases and lesions, calibration, stability, comparison of studies."""
