"""Quality of segmentations: metrics of cases and lesions, calibration, stability, comparison of studies."""
