"""Segmentations as DICOM objects: SEG, RTSTRUCT, structured report."""
