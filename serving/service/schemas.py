"""Schemas of requests and responses, for validation and OpenAPI."""

from typing import Any

from pydantic import BaseModel, Field

from serving.dicomweb import UID, UID_LENGTH

RESCALE = r"^-?\d{1,9}(\.\d{1,9})?,-?\d{1,9}(\.\d{1,9})?$"
USE = "Research only: no medical device, not for diagnosis or treatment."
UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "The file itself, not a form: .nii, .nii.gz, .nrrd, .mha, a DICOM file, or a zip of the DICOM "
        "files of a series. It is recognised by its content.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "examples": {
                    "NIfTI": {"summary": "the bytes of scan.nii.gz, as curl's --data-binary @scan.nii.gz sends them"}
                },
            }
        },
    }
}


class Problem(BaseModel):
    """Error message in one sentence, with the remedy if one exists."""

    detail: str = Field(examples=["the upload is larger than the 1024 MiB that this service takes"])


class Segmentation(BaseModel):
    """A segmentation job. `state` is queued, running, done, failed or cancelled; `progress` is 0 to 1."""

    id: str = Field(examples=["p1xZ8yqN7hQ3eC0aVb2mTw"])
    state: str = Field(examples=["running"])
    progress: float = Field(ge=0, le=1, examples=[0.42])
    error: str | None = Field(None, description="why it failed", examples=[None])
    seconds: float | None = Field(None, description="how long it took, once ended", examples=[None])
    links: dict[str, str] = Field(default_factory=dict, examples=[{"self": "/v1/segmentations/p1xZ8yqN7hQ3eC0aVb2mTw"}])


class ArchivedSeries(BaseModel):
    """A series of the DICOMweb server. If `study_uid` is missing, the service queries the server for it."""

    series_uid: str = Field(pattern=UID, max_length=UID_LENGTH, examples=["1.2.840.113619.2.55.3"])
    study_uid: str | None = Field(None, pattern=UID, max_length=UID_LENGTH)
    rescale: str | None = Field(None, pattern=RESCALE, description="slope and intercept, as `1,-1024`")
    dicom: bool = Field(True, description="make DICOM SEG, RTSTRUCT and report as well")


class Stored(BaseModel):
    """Names of the stored DICOM objects."""

    stored: list[str] = Field(examples=[["report", "rtstruct", "seg"]])


class Component(BaseModel):
    """Connected component of a class. Positions are in mm in the LPS frame, as in DICOM."""

    label: str = Field(examples=["nodule"])
    component: int = Field(examples=[1], description="from 1 by falling volume, for each label")
    voxels: int = Field(examples=[412])
    volume_cm3: float = Field(examples=[0.87])
    centroid_xyz_mm: list[float] = Field(examples=[[-61.2, 18.4, -120.5]])
    bounding_box_xyz_mm: list[list[float]] = Field(examples=[[[-67.0, 12.0, -126.0], [-55.0, 24.0, -114.0]]])
    longest_diameter_mm: float = Field(examples=[13.1])
    mean_hu: float = Field(examples=[22.7])


class QualityFlag(BaseModel):
    """Warning about the scan or the result: `kind` and `values` for programs, `text` for users."""

    kind: str = Field(examples=["lungs_cut"])
    values: dict[str, Any] = Field(examples=[{"share": 0.12}])
    text: str = Field(examples=["the scan cuts the lungs"])


class Volume(BaseModel):
    """Totals of a class: components, voxels and volume."""

    label: str = Field(examples=["nodule"])
    components: int = Field(examples=[2])
    voxels: int = Field(examples=[520])
    volume_cm3: float = Field(examples=[1.1])


class StackOfImages(BaseModel):
    """Images of a series that can form one volume; `use` is "chosen" or the reason why they were not chosen."""

    number: int = Field(examples=[2], description="of its series; `series` in a request takes it")
    modality: str | None = Field(examples=["CT"])
    images: int = Field(examples=[120])
    slice_distance_mm: float | None = Field(examples=[2.5])
    slice_thickness_mm: float | None = Field(examples=[2.5])
    kernel: str | None = Field(examples=["B30f"])
    part: str | None = Field(description="of its series, where that is several volumes", examples=[None])
    use: str = Field(examples=["chosen", "thicker slices"])


class Series(BaseModel):
    """Series of an upload; `number` is the segmented series. The same files always have the same numbers."""

    number: int = Field(examples=[1])
    count: int = Field(examples=[2])
    stacks: list[StackOfImages]


class Source(BaseModel):
    """The segmented scan. A client can identify it by the hash of the uploaded bytes."""

    upload_sha256: str | None = Field(description="null for a series of the DICOMweb server")
    format: str = Field(examples=["DICOM"])
    size_xyz: list[int] = Field(examples=[[512, 512, 120]])
    spacing_xyz_mm: list[float] = Field(examples=[[0.7, 0.7, 2.5]])
    series: Series | None = Field(description="null for a file")


class ModelName(BaseModel):
    """Name and SHA-256 of the model file."""

    name: str = Field(examples=["model.onnx"])
    sha256: str


class Result(BaseModel):
    """Result of a scan. `warnings` are the sentences of `flags`, which also have kinds and values."""

    model: ModelName
    source: Source
    volumes: list[Volume]
    components: list[Component]
    warnings: list[str] = Field(examples=[["the scan cuts the lungs"]])
    flags: list[QualityFlag]


class Model(ModelName):
    """The model: labels, searched region, training data, whole card, and inference engine."""

    labels: list[str] = Field(examples=[["nodule"]])
    region: str = Field(examples=["lungs"])
    training_cases: int = Field(examples=[24])
    training_patients: int = Field(examples=[20], description="0 where the model file does not tell it")
    phantom: bool | None = Field(
        examples=[False],
        description="whether it was trained on phantoms; null where the model file does not tell it",
    )
    networks: int = Field(examples=[5], description="whose probabilities are averaged")
    use: str = USE
    card: dict[str, Any]
    engine: str = Field(examples=["OpenVINO 2026.4.1 CPU float32"])


class Health(BaseModel):
    """Status of the service: "ok" if scans can be segmented now."""

    status: str = Field(examples=["ok"])


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of the error responses of a route."""
    return {code: {"model": Problem, "description": DESCRIPTIONS[code]} for code in codes}


DESCRIPTIONS = {
    400: "The body is empty or broke off",
    401: "The bearer token is missing or wrong",
    403: "The service has no token, and this request names another host, or comes from another web page",
    404: "No such job, or it was deleted since",
    408: "The upload took too long",
    409: "The job has no result: it has not ended, failed, or was cancelled",
    413: "Too large: bytes, bytes when decompressed, files, or voxels",
    415: "No NIfTI, NRRD, MHA, DICOM or zip, by its content",
    422: "Damaged, dangerous, or no single 3-D scan; or a parameter that cannot be read",
    429: "All places are taken: come back after Retry-After seconds",
    502: "The DICOMweb server cannot be reached, or does not do what was asked",
    503: "The model is not loaded",
    504: "The DICOMweb server took too long",
    507: "The service cannot store the upload: its disk is full, or reports an error",
}
