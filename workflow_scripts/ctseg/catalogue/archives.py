"""Public archives and nnU-Net's folder layout, by their names in `cases.source`."""

from dataclasses import dataclass

from ctseg.catalogue.entry import Entry


@dataclass(frozen=True)
class Archive(Entry):
    """An archive or folder layout.

    `layout` describes its source and the content of its folder, `label_format` is a key of `LABEL_FORMATS`, and
    `lung_values` are the values of the two lungs in its lung masks, empty if it has none. If it is not `public`, it
    holds the user's own cases, and their names may be names of patients.
    """

    layout: str = ""
    label_format: str = ""
    lung_values: tuple[int, ...] = ()
    public: bool = True


ARCHIVES = {
    "msd": Archive(
        "the Medical Segmentation Decathlon",
        ("Antonelli 2022",),
        "a task of the Medical Segmentation Decathlon (http://medicaldecathlon.com; Task09_Spleen 1.5 GB, "
        "Task06_Lung 8.5 GB; CC BY-SA 4.0), unpacked: the folder that holds dataset.json, imagesTr, labelsTr and "
        "imagesTs",
        "label_map",
    ),
    "lidc": Archive(
        "LIDC-IDRI",
        ("Armato 2011",),
        "LIDC-IDRI (https://www.cancerimagingarchive.net/collection/lidc-idri/; 125 GB; CC BY 3.0): the folder "
        "that holds LIDC-IDRI-0001, LIDC-IDRI-0002 and so on, each as <study>/<series>/*.dcm, with the XML beside the "
        "slices, as LIDC-IDRI-0001.xml beside the patient, or in a folder of XML files beside the patients",
        "lidc_xml",
    ),
    "luna16": Archive(
        "LUNA16",
        ("Setio 2017",),
        "LUNA16 (https://luna16.grand-challenge.org; 66 GB to download; CC BY 4.0), unpacked: the folder that "
        "holds annotations.csv, subset0 to subset9 with .mhd and .raw files, and, if wanted, seg-lungs-LUNA16",
        "luna16_csv",
        lung_values=(3, 4),  # 5 is the trachea
    ),
    "nnunet": Archive(
        "a data set in the layout of nnU-Net",
        ("Isensee 2021",),
        "a data set in nnU-Net's raw layout (https://github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md): the "
        "folder that holds dataset.json, imagesTr with CASE_0000.nii.gz (or another file_ending), labelsTr with "
        "CASE.nii.gz, and, if wanted, imagesTs, labelsTs and splits_final.json",
        "label_map",
        public=False,
    ),
}
