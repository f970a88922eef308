"""Formats of labels, by the names of their readers in `labels.formats.READERS`."""

from dataclasses import dataclass

from ctseg.catalogue.entry import Entry


@dataclass(frozen=True)
class LabelFormat(Entry):
    """A format; `settings` are config keys that not all formats have, `one_label` is true if it has only one label."""

    settings: tuple[str, ...] = ()
    one_label: bool = False


DICOM = ("target.roi_names", "target.overlap", "convert.beyond_scan", "convert.foreign_label")
LABEL_FORMATS = {
    "label_map": LabelFormat(
        "a label map (NIfTI, NRRD, MetaImage, a segmentation of 3D Slicer), a value for each label",
        settings=("target.roi_names", "convert.label_off_mm", "convert.beyond_scan"),
    ),
    "mask_folder": LabelFormat(
        "a folder with a mask for each label",
        settings=("target.roi_names", "target.overlap", "convert.label_off_mm"),
    ),
    "rtstruct": LabelFormat("a DICOM RTSTRUCT, closed outlines on the slices", settings=DICOM),
    "dicom_seg": LabelFormat("a DICOM SEG", settings=(*DICOM, "convert.label_off_mm")),
    "lidc_xml": LabelFormat(
        "the XML of LIDC-IDRI, outlines of up to four readers",
        settings=("convert.min_readers", "convert.small_nodules"),
        one_label=True,
    ),
    "luna16_csv": LabelFormat("the CSV of LUNA16, centres and diameters of nodules", one_label=True),
}
