"""Small folders in the layouts of the public archives; their files are empty unless a text is given."""

import json
from pathlib import Path
from typing import Any

CT_UID, X_RAY_UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.17", "1.3.6.1.4.1.14519.5.2.1.6279.6001.99"


def make_files(root: Path, *names: str, text: str = "") -> None:
    """Write files with the same text, and create their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def xml_header(series_uid: str, root: str = "LidcReadMessage") -> str:
    """XML file of LIDC-IDRI that contains only a header with a series UID."""
    header = f"<ResponseHeader><Version>1.8.1</Version><SeriesInstanceUid>{series_uid}</SeriesInstanceUid>"
    return f'<?xml version="1.0"?>\n<{root} xmlns="http://www.nih.gov">{header}</ResponseHeader></{root}>'


def make_msd(folder: Path, label: str = "spleen", **changes: Any) -> None:
    """Write five labelled cases and one case in imagesTs; `changes` replace entries of dataset.json."""
    training = [f"{label}_{number}" for number in (10, 2, 3, 4, 6)]
    hidden = {"image": f"./imagesTr/._{label}_2.nii.gz", "label": f"./labelsTr/._{label}_2.nii.gz"}
    dataset = {
        "name": label,
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": label},
        "training": [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in training]
        + [hidden],
        "test": [f"./imagesTs/{label}_7.nii.gz"],
    }
    paths = [
        f"{part}/{dots}{name}.nii.gz" for part in ("imagesTr", "labelsTr") for dots in ("", "._") for name in training
    ]
    make_files(folder, *paths, f"imagesTs/{label}_7.nii.gz", f"imagesTs/._{label}_7.nii.gz")
    make_files(folder, "dataset.json", text=json.dumps(dataset | changes))


def make_lidc(folder: Path, patients: int = 5) -> None:
    """Write patients with an XML file next to the slices; the second patient also has an X-ray with an XML file."""
    for number in range(1, patients + 1):
        patient = f"LIDC-IDRI-{number:04d}"
        make_files(folder, f"{patient}/1.1/{CT_UID}{number}/000001.dcm")
        make_files(folder, f"{patient}/1.1/{CT_UID}{number}/069.xml", text=xml_header(f"{CT_UID}{number}"))
    make_files(folder, f"LIDC-IDRI-0002/1.0/{X_RAY_UID}/000001.dcm")
    make_files(folder, f"LIDC-IDRI-0002/1.0/{X_RAY_UID}/068.xml", text=xml_header(X_RAY_UID, "IdriReadMessage"))


def make_luna16(folder: Path, series: int = 5) -> None:
    """Write series in two subsets; the first series has a lung mask."""
    make_files(folder, "annotations.csv", text="seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    make_files(
        folder, *(f"subset{number % 2}/1.2.{number}{end}" for number in range(series) for end in (".mhd", ".raw"))
    )
    make_files(folder, "seg-lungs-LUNA16/1.2.0.mhd", "seg-lungs-LUNA16/1.2.0.zraw", "subset0/._1.2.0.mhd")


def make_nnunet(folder: Path, ending: str = ".nii.gz", folds: int = 0, **changes: Any) -> None:
    """Write five training cases, one in imagesTs, and `folds` in splits_final.json; `changes` edit dataset.json.

    dataset.json has the keys that `generate_dataset_json` of nnU-Net writes.
    """
    training = [f"tumour_{number:03d}" for number in range(1, 6)]
    dataset = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": len(training),
        "file_ending": ending,
    }
    paths = [f"imagesTr/{name}_0000{ending}" for name in training] + [f"labelsTr/{name}{ending}" for name in training]
    make_files(folder, *paths, f"imagesTs/tumour_009_0000{ending}", f"imagesTr/._tumour_001_0000{ending}")
    make_files(folder, "dataset.json", text=json.dumps(dataset | changes))
    if folds:
        val = [training[fold::folds] for fold in range(folds)]
        splits = [{"train": sorted(set(training) - set(part)), "val": part} for part in val]
        make_files(folder, "splits_final.json", text=json.dumps(splits))
