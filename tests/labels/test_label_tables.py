"""Names stored in label maps: segmentations of 3D Slicer with values and layers, NIfTI files with label tables."""

import re

import nibabel as nib
import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import Label, LabelSettings, read_label
from ctseg.scans.nifti import read_nifti, write_nifti
from real_data import real_data

GRID = Grid((6, 8, 9), (1.0, 1.5, 2.0), (-9.0, 4.0, 30.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
KIDNEY, TUMOUR = (np.zeros(GRID.shape_zyx, bool) for _ in range(2))
KIDNEY[1:5, 1:6, 1:6] = True
TUMOUR[2:4, 3:7, 3:7] = True
TABLE = """<?xml version="1.0" encoding="UTF-8"?> <CaretExtension><VolumeInformation Index="0"><LabelTable>
<Label Key="0" Red="0" Green="0" Blue="0" Alpha="0"><![CDATA[background]]></Label>{}
</LabelTable></VolumeInformation></CaretExtension>"""


def read(path, labels, **options) -> Label:
    return read_label(path, LabelSettings(labels, **options), GRID, "image")


def write_seg_nrrd(path, layers, segments, origin=GRID.origin_xyz_mm):
    """Write a .seg.nrrd file as 3D Slicer does: name, value and layer of each segment are in the header."""
    voxels = np.stack(layers, axis=-1).astype(np.uint8)
    z, y, x, count = voxels.shape
    steps = " ".join(
        f"({','.join(str(step * (axis == own)) for own in range(3))})" for axis, step in enumerate((1, 1.5, 2))
    )
    many = count > 1
    lines = ["NRRD0004", "type: unsigned char", f"dimension: {3 + many}", "space: left-posterior-superior"]
    lines += [f"sizes: {f'{count} ' * many}{x} {y} {z}", f"space directions: {'none ' * many}{steps}"]
    lines += [f"kinds: {'list ' * many}domain domain domain", "encoding: raw"]
    lines += [f"space origin: ({','.join(map(str, origin))})"]
    for number, (name, value, layer) in enumerate(segments):
        lines += [f"Segment{number}_ID:=Segment_{number}", f"Segment{number}_Name:={name}"]
        lines += [f"Segment{number}_LabelValue:={value}", f"Segment{number}_Layer:={layer}"]
    lines.append("Segmentation_ReferenceImageExtentOffset:=0 0 0")
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + voxels.tobytes())
    return path


def write_table(path, voxels, names, pad=b""):
    """Write a NIfTI file with a label table in its header, as TotalSegmentator and Workbench do."""
    write_nifti(Volume(voxels.astype(np.uint8), GRID), path)
    image = nib.load(path)
    entries = "".join(f'\n<Label Key="{value}" Red="1"><![CDATA[{name}]]></Label>' for value, name in names.items())
    content = TABLE.format(entries).encode() + pad
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, content))
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj).copy(), image.affine, image.header), path)
    return path


def test_the_layers_of_a_segmentation_overlap(tmp_path):
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY, TUMOUR], [("Kidney", 1, 0), ("Tumour  left", 1, 1)])
    label = read(path, {"kidney": 7, "tumour": 9}, roi_names={"tumour": ("tumour left",)})
    np.testing.assert_array_equal(label.voxels_zyx, np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0)))
    assert label.facts["labels"]["kidney"]["lost_to"] == {"tumour": (KIDNEY & TUMOUR).sum()}
    with pytest.raises(InputError, match=r'has no segment called "cyst"; .* one or more of: "Kidney", "Tumour  left"'):
        read(path, {"cyst": 1})
    with pytest.raises(InputError, match='has no segment called "cyst"'):
        read(path, {"kidney": 1, "cyst": 2})
    assert not (read(path, {"kidney": 1, "cyst": 2}, missing_ok=True).voxels_zyx == 2).any()
    assert read(path, {"any": 3}, roi_names={"any": ("/.*/",)}).voxels_zyx.sum() == (KIDNEY | TUMOUR).sum()


def test_an_older_segmentation_has_a_layer_for_each_segment(tmp_path):
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY, TUMOUR], [("kidney", 1, 0), ("tumour", 1, 1)])
    lines = [line for line in path.read_bytes().split(b"\n") if not re.match(rb"Segment\d_(LabelValue|Layer)", line)]
    path.write_bytes(b"\n".join(lines))
    label = read(path, {"kidney": 1, "tumour": 2})
    np.testing.assert_array_equal(label.voxels_zyx, np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0)))


def test_names_count_before_values(tmp_path):
    voxels = np.where(TUMOUR, 3, np.where(KIDNEY, 2, 0))
    slicer = write_seg_nrrd(tmp_path / "a.seg.nrrd", [voxels], [("kidney", 2, 0), ("tumour", 3, 0)])
    table = write_table(tmp_path / "a.nii.gz", voxels, {2: "Kidney", 3: "Tumour"}, b"\0\0\0")
    for path in (slicer, table):
        label = read(path, {"kidney": 1, "tumour": 2})
        np.testing.assert_array_equal(label.voxels_zyx, np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0)))
        assert label.facts["warnings"] == [
            "kidney, tumour: the file gives other values than target.labels; its own names were taken"
        ]
        assert label.facts["unused_values"] == {}


def test_values_count_where_no_name_is_known(tmp_path):
    voxels = np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0))
    names = {1: "organ", 2: "lesion"}
    table = write_table(tmp_path / "a.nii", voxels, names)
    label = read(table, {"kidney": 1, "tumour": 2})
    np.testing.assert_array_equal(label.voxels_zyx, voxels)
    [told] = label.facts["warnings"]
    assert told.startswith("the file has other names for the values of kidney, tumour; the values of target.labels")
    numbered = write_seg_nrrd(tmp_path / "b.seg.nrrd", [voxels], [("Segment_1", 1, 0), ("Segment_2", 2, 0)])
    label = read(numbered, {"kidney": 1, "tumour": 2})
    np.testing.assert_array_equal(label.voxels_zyx, voxels)
    assert label.facts["warnings"] == []  # the names were not requested
    with pytest.raises(InputError, match=r'has no segment called "tumour"; .* "kidney", "lesion"'):
        read(write_table(tmp_path / "c.nii", voxels, {1: "kidney", 2: "lesion"}), {"kidney": 1, "tumour": 2})
    partly = read(write_table(tmp_path / "d.nii", voxels, {1: "kidney"}), {"kidney": 1, "tumour": 2})
    np.testing.assert_array_equal(partly.voxels_zyx, voxels)  # the table has no name for 2


def test_values_that_the_file_names_are_no_reason_to_suspect_a_mix_up(tmp_path):
    voxels = np.where(TUMOUR, 3, np.where(KIDNEY, 1, 0))
    labels = {"kidney": 1, "cyst": 2}
    named = read(write_table(tmp_path / "a.nii", voxels, {1: "kidney", 3: "tumour"}), labels)
    assert named.facts["warnings"] == ["cyst (value 2) has no voxel in this label"]
    unnamed = read(write_table(tmp_path / "b.nii", voxels, {1: "kidney"}), labels)
    assert "while its value is in no label: 3 (32 voxels); check target.labels" in unnamed.facts["warnings"][0]


def test_values_that_are_there_are_told_with_their_names(tmp_path):
    path = write_table(tmp_path / "a.nii", np.where(KIDNEY, 4, 0), {4: "kidney", 5: "spleen"})
    with pytest.raises(InputError, match=r'has no voxel of liver: it holds 4 \("kidney"\), and target.labels is'):
        read(path, {"liver": 9})


def test_a_segmentation_that_was_cropped_lies_where_it_says(tmp_path):
    box = (slice(1, 5), slice(2, 8), slice(3, 9))
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY[box]], [("kidney", 1, 0)], GRID.cropped(box).origin_xyz_mm)
    expected = np.zeros_like(KIDNEY)
    expected[box] = KIDNEY[box]
    np.testing.assert_array_equal(read(path, {"kidney": 1}).voxels_zyx, expected)
    write_nifti(Volume(KIDNEY[box].astype(np.uint8), GRID.cropped(box)), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"do not lie on one grid: 4 x 6 x 6 voxels \(z, y, x\) against 6 x 8 x 9"):
        read(tmp_path / "a.nii", {"kidney": 1})  # files of other formats are not cropped
    beside = (GRID.origin_xyz_mm[0] + 0.4, *GRID.origin_xyz_mm[1:])
    path = write_seg_nrrd(tmp_path / "b.seg.nrrd", [KIDNEY[:5]], [("kidney", 1, 0)], beside)
    with pytest.raises(InputError, match=r"lie up to 0\.4 mm apart \(along x 0\.4 mm\)"):
        read(path, {"kidney": 1})


def test_a_segmentation_that_reaches_out_of_the_scan_is_cut_and_told(tmp_path):
    x, y, z = GRID.origin_xyz_mm
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY[:5]], [("kidney", 1, 0)], (x, y, z - 4))
    label = read(path, {"kidney": 1})
    np.testing.assert_array_equal(label.voxels_zyx[:3], KIDNEY[2:5])
    [told] = label.facts["warnings"]
    assert told.startswith("25 of 100 voxels reach beyond the scan, by up to 4 mm")
    far = write_seg_nrrd(tmp_path / "b.seg.nrrd", [KIDNEY[:5]], [("kidney", 1, 0)], (x, y, z - 6))
    with pytest.raises(InputError, match="50 of 100 voxels reach beyond the scan"):
        read(far, {"kidney": 1})


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_content_not_the_name_shows_whether_a_table_is_compressed(tmp_path, name):
    voxels = np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0))
    other = {"a.nii": "b.nii.gz", "a.nii.gz": "b.nii"}[name]
    write_table(tmp_path / name, voxels, {1: "kidney", 2: "tumour"}).rename(tmp_path / other)
    label = read(tmp_path / other, {"tumour": 1})
    np.testing.assert_array_equal(label.voxels_zyx == 1, TUMOUR)
    assert label.facts["warnings"] == [
        "tumour: the file gives other values than target.labels; its own names were taken"
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"</LabelTable>", b"", "mismatched tag"),
        (b"<CaretExtension>", b"<!DOCTYPE x><CaretExtension>", "it declares a document type or entities"),
        (b'encoding="UTF-8"', b'encoding="nobody"', "unknown encoding"),
        (b'encoding="UTF-8"', b'encoding="shift_jis"', "multi-byte encodings"),
        (b"kidney", b"kidne\xff", "not well-formed"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(tmp_path, old, new, reason):
    voxels = np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0))
    path = write_table(tmp_path / "a.nii", voxels, {1: "kidney", 2: "tumour"})
    image = nib.load(path)
    content = image.header.extensions[0].content.replace(old, new)
    image.header.extensions[:] = [nib.nifti1.Nifti1Extension(0, content)]
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj).copy(), image.affine, image.header), tmp_path / "b.nii")
    label = read(tmp_path / "b.nii", {"tumour": 1, "kidney": 2})
    np.testing.assert_array_equal(label.voxels_zyx, voxels)
    [told] = label.facts["warnings"]
    assert told.startswith("the table of names in the file cannot be read (")
    assert reason in told
    assert told.endswith("left out; check that target.labels has the values of the file")


def test_a_name_without_a_whole_number_is_told_and_the_others_count(tmp_path):
    voxels = np.where(TUMOUR, 3, np.where(KIDNEY, 2, 0))
    table = write_table(tmp_path / "a.nii", voxels, {2: "kidney", 3: "tumour", "x": "cyst", "4.5": "vein"})
    segments = [("kidney", 2, 0), ("tumour", 3, 0), ("cyst", "x", 0), ("vein", 1, "none")]
    for path in (table, write_seg_nrrd(tmp_path / "a.seg.nrrd", [voxels], segments)):
        label = read(path, {"kidney": 1, "tumour": 2})
        np.testing.assert_array_equal(label.voxels_zyx, np.where(TUMOUR, 2, np.where(KIDNEY, 1, 0)))
        assert label.facts["warnings"] == [
            'the file gives no whole number as value or layer of "cyst" and "vein": left out; check that target.labels '
            "has the values of the file",
            "kidney, tumour: the file gives other values than target.labels; its own names were taken",
        ]


def test_odd_names_are_told_in_each_way_that_values_are_found(tmp_path):
    odd = 'the file gives no whole number as value or layer of "cyst": left out'
    only = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY], [("cyst", "x", 0)])
    label = read(only, {"tumour": 1})
    np.testing.assert_array_equal(label.voxels_zyx, KIDNEY)
    assert [told.startswith(odd) for told in label.facts["warnings"]] == [True]
    layered = [("kidney", 1, 0), ("tumour", 1, 1), ("cyst", "x", 1)]
    path = write_seg_nrrd(tmp_path / "b.seg.nrrd", [KIDNEY, TUMOUR], layered)
    for labels in ({"tumour": 1}, {"vein": 1}):
        assert read(path, labels, missing_ok=True).facts["warnings"][0].startswith(odd)
    many = [(f"cyst {number:02}", "x", 0) for number in range(12)]
    told = read(write_seg_nrrd(tmp_path / "c.seg.nrrd", [KIDNEY], many), {"tumour": 1}).facts["warnings"][0]
    assert '"cyst 09" and …: left out' in told
    assert "cyst 10" not in told


def test_a_name_that_is_empty_is_no_name(tmp_path):
    path = write_table(tmp_path / "a.nii", KIDNEY, {1: "", "x": ""})
    label = read(path, {"tumour": 1})
    np.testing.assert_array_equal(label.voxels_zyx, KIDNEY)
    assert label.facts["warnings"] == []


def test_layers_that_are_not_there_and_damaged_files_are_refused(tmp_path):
    path = write_seg_nrrd(tmp_path / "a.seg.nrrd", [KIDNEY], [("kidney", 1, 3)])
    with pytest.raises(InputError, match="names layers that it does not have"):
        read(path, {"kidney": 1})
    path.write_bytes(path.read_bytes().replace(b"dimension: 3", b"dimension: x"))
    with pytest.raises(InputError, match=r"a\.seg\.nrrd cannot be read as NRRD"):
        read(path, {"kidney": 1})
    (tmp_path / "a.nii.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(InputError, match=r"a\.nii\.gz cannot be read as NIfTI"):
        read(tmp_path / "a.nii.gz", {"kidney": 1})


@pytest.mark.realdata
def test_the_names_of_a_real_label_table_count():
    path = real_data("abdomen/organs.nii.gz")
    stored = read_nifti(path)
    for value in (5, 1):  # values of liver and spleen
        settings = LabelSettings({"liver": value})
        label = read_label(path, settings, stored.grid, "image")
        np.testing.assert_array_equal(label.voxels_zyx == 1, stored.voxels_zyx == 5)
        assert len(label.facts["warnings"]) == (value != 5)
