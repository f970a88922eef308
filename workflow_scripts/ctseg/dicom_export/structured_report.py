"""Measurements as a DICOM structured report: TID 1500, with a group for each class and each component (PS3.16).

A class refers to its segment of the SEG object, a component to its outlines on the source's images.
"""

from typing import Any

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ctseg.dicom_export.coded_terms import term_of
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.slice_outlines import outlines_on_slices, pixels_xy
from ctseg.dicom_export.source_series import Source
from ctseg.geometry.volume import Grid
from ctseg.masks.components import label_components, volumes_cm3
from ctseg.version import VERSION

SERIES_NUMBER = 9003
# Measurements of a component, by their names in the table: quantity, derivation and unit.
MEASURES: dict[str, tuple[Code, Code | None, Code]] = {
    "volume_cm3": (codes.SCT.Volume, None, codes.UCUM.CubicCentimeter),
    "longest_diameter_mm": (codes.SCT.Diameter, codes.SCT.Maximum, codes.UCUM.Millimeter),
    "mean_hu": (codes.DCM.AttenuationCoefficient, codes.SCT.Mean, codes.UCUM.HounsfieldUnit),
}

Group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations


def make_report(source: Source, findings: Findings, seg: Dataset) -> Dataset:
    """The report, with references to the source and its SEG object, without the identity that `claim` adds."""
    context = hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=hd.UID(), name="ctseg", model_name="ctseg", serial_number=findings.model_hash[:16]
            ),
        )
    )
    content = hd.sr.MeasurementReport(
        observation_context=context,
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[*_classes(source, findings, seg), *_components(source, findings)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return hd.sr.ComprehensiveSR(
        evidence=[*source.images, seg],
        content=content[0],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="ctseg",
        is_complete=True,
        series_description="ctseg measurements",
    )


def _classes(source: Source, findings: Findings, seg: Dataset) -> list[Group]:
    """A group for each class with its total volume; 0 if nothing was found."""
    series = hd.sr.SourceSeriesForSegmentation(source.images[0].SeriesInstanceUID)
    groups, volumes = [], volumes_cm3(findings.components, findings.names)
    for number, (name, described) in enumerate(zip(findings.names, seg.SegmentSequence, strict=True), start=1):
        segment = hd.sr.ReferencedSegment(seg.SOPClassUID, seg.SOPInstanceUID, number, source_series=series)
        measured = {"volume_cm3": volumes[name]}
        groups.append(_group(name, name, described.TrackingUID, measured, referenced_segment=segment))
    return groups


def _components(source: Source, findings: Findings) -> list[Group]:
    """A group for each component with its measurements."""
    groups = []
    for number, name in enumerate(findings.names, start=1):
        rows = [row for row in findings.components if row["label"] == number]
        if not rows:
            continue
        numbers_zyx = label_components(findings.segmentation.voxels_zyx == number)
        regions = _regions(source, numbers_zyx, findings.segmentation.grid)
        for row in rows:
            (voxel,) = np.rint(findings.segmentation.grid.indices_zyx(np.array([row["voxel_xyz_mm"]]))).astype(int)
            # A component in a gap between two slices has no outline on an image.
            if outlines := regions.get(int(numbers_zyx[tuple(voxel)])):
                identifier = f"{name} {row['component']}"
                groups.append(_group(identifier, name, hd.UID(), row, referenced_regions=outlines))
    return groups


def _group(identifier: str, name: str, uid: str, measured: dict[str, Any], **reference: Any) -> Group:
    """One group of measurements: tracking identifier, finding, algorithm, values, and reference to the images."""
    term = term_of(name)
    return Group(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=identifier),
        finding_type=term.kind,
        finding_category=term.category,
        algorithm_id=hd.sr.AlgorithmIdentification(name="ctseg", version=VERSION),
        measurements=[
            hd.sr.Measurement(name=what, value=float(measured[key]), unit=unit, derivation=derivation)
            for key, (what, derivation, unit) in MEASURES.items()
            if key in measured
        ],
        **reference,
    )


def _regions(source: Source, numbers_zyx: np.ndarray, grid: Grid) -> dict[int, list[hd.sr.ImageRegion]]:
    """The outlines of each number on the images, by the number."""
    regions: dict[int, list[hd.sr.ImageRegion]] = {}
    for number, place, points in outlines_on_slices(numbers_zyx, grid, source):
        regions.setdefault(number, []).append(_region(source, place, points))
    return regions


def _region(source: Source, place: int, points_xyz_mm: np.ndarray) -> hd.sr.ImageRegion:
    """A closed outline in the pixels of an image, from points in mm (LPS)."""
    image, part = source.image_of(place), source.slices[place]
    closed = np.concatenate([points_xyz_mm, points_xyz_mm[:1]])
    frames = [(part.header.frame or 0) + 1] if source.is_multiframe else None
    return hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=pixels_xy(closed, part),
        source_image=hd.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames),
    )
