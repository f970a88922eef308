import errno
import gzip
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import nifti_extensions, read_nifti, write_nifti
from grids import counting, grids


@given(grids())
@settings(max_examples=30)
def test_nifti_keeps_voxels_type_and_place(tmp_path_factory, grid):
    path = tmp_path_factory.mktemp("nifti") / "volume.nii.gz"
    volume = counting(grid)
    write_nifti(volume, path)
    again = read_nifti(path)
    assert again.voxels_zyx.dtype == np.int16
    np.testing.assert_array_equal(again.voxels_zyx, volume.voxels_zyx)
    assert again.grid.matches(grid)


@given(grids(sheared=False))
@settings(max_examples=30)
def test_simpleitk_and_nibabel_see_the_same_world(tmp_path_factory, grid):
    path = tmp_path_factory.mktemp("nifti") / "volume.nii"
    write_nifti(counting(grid), path)
    image = sitk.ReadImage(str(path))
    last = [size - 1 for size in grid.shape_zyx[::-1]]
    expected = grid.points_xyz_mm(np.array([last[::-1]]))[0]
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(last), expected, atol=1e-3)
    np.testing.assert_allclose(nib.load(path).affine @ [*last, 1], [*(expected * [-1, -1, 1]), 1], atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, ">i2", np.float32])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (1, -1024), (0.5, 3)])
@pytest.mark.parametrize("large", [False, True])
def test_compressed_files_are_scaled_like_others(tmp_path, monkeypatch, dtype, slope, intercept, large):
    monkeypatch.setattr(mapped_arrays, "LARGE_BYTES", 64 if large else 2**30)
    monkeypatch.setattr(mapped_arrays, "SLAB_BYTES", 64)
    voxels = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype)
    plain = nib.Nifti1Image(voxels, np.eye(4)).to_bytes()
    header = bytearray(plain)
    # Bytes 112 to 119 of a NIfTI-1 header are slope and intercept.
    header[112:120] = np.array([slope, intercept], ">f4" if header[:4] == b"\0\0\x01\x5c" else "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(header)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header))
    expected, found = read_nifti(tmp_path / "a.nii").voxels_zyx, read_nifti(tmp_path / "a.nii.gz").voxels_zyx
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, voxels.T.astype(float) * slope + intercept)


def scaled_file(path, voxels, slope, intercept):
    """Write a NIfTI file with slope and intercept in its header, and the voxels as they are."""
    image = nib.Nifti1Image(voxels, np.eye(4))
    data = bytearray(image.to_bytes())
    data[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (0.5, 3), (1, 0), (0, 7)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_scaled_files_have_the_values_and_the_type_that_nibabel_gives(
    tmp_path, monkeypatch, dtype, slope, intercept, name
):
    monkeypatch.setattr(mapped_arrays, "LARGE_BYTES", 64)
    monkeypatch.setattr(mapped_arrays, "SLAB_BYTES", 64)
    for shape in ((4, 5, 6), (4, 5, 6, 1), (4, 5, 6, 1, 1)):
        voxels = np.arange(120).reshape(shape, order="F").astype(dtype)
        path = scaled_file(tmp_path / name, voxels, slope, intercept)
        expected, found = np.asanyarray(nib.load(path).dataobj).reshape(shape[:3]).T, read_nifti(path).voxels_zyx
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(128, 128, 200), (128, 128, 200, 1)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_scaled_file_is_read_a_slab_at_a_time(tmp_path, monkeypatch, name, shape):
    monkeypatch.setattr(mapped_arrays, "LARGE_BYTES", 2**16)
    monkeypatch.setattr(mapped_arrays, "SLAB_BYTES", 2**17)
    path = scaled_file(tmp_path / name, np.full(shape, 1000, np.int16), 1, -1024)
    read_nifti(path)  # what is imported and cached at the first time
    tracemalloc.start()
    voxels = read_nifti(path).voxels_zyx
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert voxels.dtype == np.float64
    assert (voxels == -24).all()
    assert peak_bytes < voxels.nbytes / 4


def test_extensions_are_read_by_content(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.eye(4))
    for text in (b"first", b"second"):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, text))
    nib.save(image, tmp_path / "a.nii")
    nib.save(image, tmp_path / "b.nii.gz")
    (tmp_path / "a.nii").rename(tmp_path / "a.nii.gz")
    (tmp_path / "b.nii.gz").rename(tmp_path / "b.nii")
    for name in ("a.nii.gz", "b.nii"):
        assert [text.rstrip(b"\0") for text in nifti_extensions(tmp_path / name)] == [b"first", b"second"]
    with pytest.raises(InputError, match=r"missing\.nii does not exist"):
        nifti_extensions(tmp_path / "missing.nii")


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    grid = Grid((3, 4, 5), (1, 2, 3), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(counting(grid), tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_no_partial_file_is_left_when_writing_fails(tmp_path):
    grid = Grid((1, 1, 1), (1, 1, 1), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(Exception, match=r"dtype|type"):
        write_nifti(Volume(np.array([[["text"]]]), grid), tmp_path / "a.nii")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@given(keep=st.floats(0.05, 0.95))
@settings(max_examples=10)
def test_a_cut_file_is_refused_by_name(tmp_path_factory, suffix, keep):
    folder = tmp_path_factory.mktemp("cut")
    voxels = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    grid = Grid((20, 20, 20), (1, 1, 1), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    write_nifti(Volume(voxels, grid), folder / f"whole{suffix}")
    data = (folder / f"whole{suffix}").read_bytes()
    cut = folder / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match="cut"):
        read_nifti(cut)


def test_a_file_that_is_not_there_or_no_nifti_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.nii does not exist"):
        read_nifti(tmp_path / "missing.nii")
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"no scan"))
    with pytest.raises(InputError, match=r"text\.nii\.gz"):
        read_nifti(tmp_path / "text.nii.gz")


@pytest.mark.parametrize("error", [OSError(errno.EIO, "error"), OSError(errno.ESTALE, "error"), MemoryError()])
def test_a_fault_of_the_machine_is_not_told_as_a_damaged_file(tmp_path, monkeypatch, error):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(type(error)):
        read_nifti(path)


def test_a_fourth_axis_of_one_is_dropped_and_a_longer_one_refused(tmp_path):
    for frames in (1, 2):
        nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, frames), np.int16), np.eye(4)), tmp_path / f"{frames}.nii")
    assert read_nifti(tmp_path / "1.nii").voxels_zyx.shape == (6, 5, 4)
    with pytest.raises(InputError, match="no single 3-D volume"):
        read_nifti(tmp_path / "2.nii")
