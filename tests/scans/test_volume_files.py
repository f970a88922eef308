"""Volume files of each format are read with their geometry, or rejected with a message."""

import errno
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings

from ctseg.errors import InputError
from ctseg.geometry.resample import to_sitk
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.label_tables import names_in
from ctseg.scans.nifti import write_nifti
from ctseg.scans.volume_files import read_layers, read_volume_file
from grids import counting, grids

GRID = Grid((2, 3, 4), (1.0, 1.5, 2.0), (-9.0, 4.0, 30.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))


@settings(max_examples=5, deadline=None)
@given(grids(sheared=False))
def test_a_volume_has_the_same_voxels_at_the_same_places_in_each_format(tmp_path_factory, grid):
    folder, volume = tmp_path_factory.mktemp("formats"), counting(grid)
    write_nifti(volume, folder / "a.nii.gz")
    for name in ("a.nrrd", "a.mha", "a.mhd"):
        sitk.WriteImage(to_sitk(volume), str(folder / name))
    for name in ("a.nii.gz", "a.nrrd", "a.mha", "a.mhd"):
        found = read_volume_file(folder / name)
        np.testing.assert_array_equal(found.voxels_zyx, volume.voxels_zyx)
        assert found.grid.matches(grid, 1e-3), name


def layered(path, count):
    layers = [np.full(GRID.shape_zyx, number, np.uint8) for number in range(count)]
    image = sitk.Compose([to_sitk(Volume(layer, GRID)) for layer in layers])
    sitk.WriteImage(image, str(path))
    return path


def test_the_layers_of_a_file(tmp_path):
    layers = read_layers(layered(tmp_path / "a.nrrd", 3))
    assert [int(layer.voxels_zyx.max()) for layer in layers] == [0, 1, 2]
    assert all(layer.grid.matches(GRID, 1e-6) for layer in layers)
    with pytest.raises(InputError, match=r"a\.nrrd holds no single 3-D volume of numbers: shape \(2, 3, 4, 3\)"):
        read_volume_file(tmp_path / "a.nrrd")


@pytest.mark.parametrize("name", ["a.nii", "a.mha"])
def test_a_file_of_one_volume_is_one_layer(tmp_path, name):
    if name == "a.nii":
        write_nifti(counting(GRID), tmp_path / name)
    else:
        sitk.WriteImage(to_sitk(counting(GRID)), str(tmp_path / name))
    [layer] = read_layers(tmp_path / name)
    np.testing.assert_array_equal(layer.voxels_zyx, counting(GRID).voxels_zyx)


@pytest.mark.parametrize(("name", "kind"), [("a.nrrd", "NRRD"), ("a.mha", "MetaImage")])
def test_what_is_no_volume_is_refused_by_its_name(tmp_path, name, kind):
    with pytest.raises(InputError, match=f"{name} does not exist"):
        read_volume_file(tmp_path / name)
    (tmp_path / name).write_text("nothing of the kind")
    with pytest.raises(InputError, match=f"{name} cannot be read as {kind}: it is cut, damaged or incomplete"):
        read_volume_file(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_a_fault_of_the_machine_is_not_told_as_a_damaged_file(tmp_path, monkeypatch, name):
    sitk.WriteImage(to_sitk(counting(GRID)), str(tmp_path / name))

    def fail(*_):
        raise RuntimeError(text)

    monkeypatch.setattr(sitk, "ReadImage", fail)
    text = "ITK ERROR: ImportImageContainer: Failed to allocate memory for image."
    with pytest.raises(MemoryError):
        read_volume_file(tmp_path / name)
    text = "ITK ERROR: Could not read"

    def fail_to_open(self, *arguments):
        raise OSError(errno.EIO, "Input/output error", str(self))

    monkeypatch.setattr(Path, "open", fail_to_open)
    with pytest.raises(OSError, match="Input/output error"):
        read_volume_file(tmp_path / name)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_a_name_on_which_itk_ends_the_process_is_refused(tmp_path, suffix):
    sitk.WriteImage(to_sitk(counting(GRID)), str(tmp_path / f"a.{suffix}"))
    path = (tmp_path / f"a.{suffix}").rename(tmp_path / f"\udcb8.{suffix}")
    with pytest.raises(InputError, match="is not UTF-8 text; rename the file"):
        read_layers(path)
    assert list(names_in(path)) == []


def test_a_plane_is_no_volume(tmp_path):
    sitk.WriteImage(sitk.Image(4, 4, sitk.sitkInt16), str(tmp_path / "a.mha"))
    with pytest.raises(InputError, match=r"a\.mha holds no single 3-D volume of numbers: shape \(4, 4\)"):
        read_volume_file(tmp_path / "a.mha")


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd"])
def test_a_size_that_no_scan_has_is_refused(tmp_path, name):
    volume = Volume(np.zeros((2, 3, 4), np.int16), Grid((2, 3, 4), (1.0, 1.0, 99.0), (0, 0, 0), GRID.direction))
    if name == "a.nii":
        write_nifti(volume, tmp_path / name)
    else:
        sitk.WriteImage(to_sitk(volume), str(tmp_path / name))
    for read in (read_volume_file, read_layers):
        with pytest.raises(InputError, match=f"{name} has voxels of 1 x 1 x 99 mm"):
            read(tmp_path / name)
