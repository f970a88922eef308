"""A segmentation as a DICOM SEG object: a segment for each class, on the pixels of the source's slices (PS3.3 A.51).

Viewers lay a SEG over the images that it refers to, so its frames are exactly on the slices of the source. If the scan
was resampled when it was read, each pixel of a slice takes the class of the nearest voxel.
"""

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ctseg.colours import class_colour
from ctseg.dicom_export.coded_terms import term_of
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.source_series import Source, labels_on_slices
from ctseg.version import VERSION

SERIES_NUMBER = 9001


def make_seg(source: Source, findings: Findings) -> Dataset:
    """The SEG in the source's study and frame of reference, without the identity that `claim` adds."""
    frames = _frames(source, findings)
    return hd.seg.Segmentation(
        source_images=source.images,
        pixel_array=frames,
        omit_empty_frames=bool(frames.any()),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, name, findings) for number, name in enumerate(findings.names, start=1)],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="ctseg",
        manufacturer_model_name="ctseg",
        software_versions=VERSION,
        device_serial_number=findings.model_hash[:16],
        content_label="SEGMENTATION",
        content_description="Automatic segmentation",
        series_description="ctseg segmentation",
    )


def _frames(source: Source, findings: Findings) -> np.ndarray:
    """The classes, uint8 `[frame, row, column]`, in the order of the images or of the frames of a multi-frame file."""
    labels = labels_on_slices(findings.segmentation, source)
    if not source.is_multiframe:
        return labels
    frames = np.zeros((int(source.images[0].NumberOfFrames), *labels.shape[1:]), dtype=np.uint8)
    frames[[part.header.frame or 0 for part in source.slices]] = labels
    return frames


def _segment(number: int, name: str, findings: Findings) -> hd.seg.SegmentDescription:
    term = term_of(name)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=term.category,
        segmented_property_type=term.kind,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="ctseg",
            family=codes.cid7162.ArtificialIntelligence,
            version=VERSION,
            parameters={"model_sha256": findings.model_hash},
        ),
        tracking_uid=hd.UID(),
        tracking_id=name,
        display_color=hd.color.CIELabColor.from_string(class_colour(number)),
    )
