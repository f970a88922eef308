"""Large volumes are mapped from unnamed files, and pages released from memory keep their values."""

import subprocess
import sys
import tempfile

import numpy as np
import pytest

from ctseg.errors import InputError, MachineError
from ctseg.geometry import mapped_arrays
from places import SCRIPTS

# All steps of a prediction except the network, for the scan in the first argument.
PROGRAM = """
import sys
sys.path.insert(0, {scripts!r})
import numpy as np
from ctseg.geometry import mapped_arrays
mapped_arrays.LARGE_BYTES = mapped_arrays.SLAB_BYTES = 2**20
from ctseg.masks.components import measure_components
from ctseg.masks.postprocessing import PostprocessSettings, postprocess
from ctseg.preprocessing.preparation import Preparation, network_input, prepare_rows
from ctseg.scans.read_scan import read_scan
from ctseg.scans.nifti import write_nifti
image = read_scan(sys.argv[1]).volume
part, grid = network_input(image, None, Preparation((2.0, 2.0, 2.0), (-1000.0, 400.0), "body", 10.0))
for row in range(0, grid.shape_zyx[0] - 8, 8):
    prepare_rows(part, grid, row, row + 8, (-1000.0, 400.0))
labels = mapped_arrays.zeros(image.grid.shape_zyx, np.uint8)
for part in mapped_arrays.by_slab(labels, image.voxels_zyx):
    labels[part] = image.voxels_zyx[part] > 0
postprocessed, _ = postprocess(image.with_voxels(labels), PostprocessSettings(1.0, True, False), None, False)
print(len(measure_components(postprocessed, image)))
write_nifti(postprocessed, sys.argv[2])
# Not by getrusage, which remembers the peak of the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture
def small(monkeypatch):
    """Set the size limit of mapped volumes to one memory page."""
    monkeypatch.setattr(mapped_arrays, "LARGE_BYTES", 4096)
    monkeypatch.setattr(mapped_arrays, "SLAB_BYTES", 4096)


def test_a_large_volume_is_of_zeros_and_keeps_what_is_written(small):
    volume = mapped_arrays.zeros((40, 30, 20), np.int16)
    assert isinstance(volume, np.memmap)
    assert not volume.any()
    volume[:] = np.arange(volume.size, dtype=np.int16).reshape(volume.shape)
    for view in (volume, volume[::-1], np.asarray(volume).T, volume[3:9, ::2]):
        before = np.array(view)
        mapped_arrays.let_go(view)
        np.testing.assert_array_equal(view, before)


def test_a_small_volume_is_in_memory():
    volume = mapped_arrays.zeros((4, 3, 2), np.uint8)
    assert not isinstance(volume, np.memmap)
    mapped_arrays.let_go(volume)


def test_without_room_for_a_file_a_volume_is_in_memory(small, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped_arrays.os, "posix_fallocate", full)
    assert not isinstance(mapped_arrays.zeros((40, 30, 20), np.int16), np.memmap)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert not isinstance(mapped_arrays.zeros((40, 30, 20), np.int16), np.memmap)


def test_a_machine_without_room_is_not_the_fault_of_the_scan_unless_no_machine_has_it(small, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    for n_bytes, machine in ((2**36, True), (2**37, False)):
        with pytest.raises(InputError, match=r"does not fit into memory, of which .* are free, nor") as caught:
            mapped_arrays.zeros((n_bytes,), np.uint8)
        assert isinstance(caught.value, MachineError) == machine


def test_a_private_copy_of_a_file_is_not_let_go(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(8192))
    mapped = np.memmap(path, np.uint8, "c")
    mapped[:] = 7
    mapped_arrays.let_go(mapped)
    assert (mapped == 7).all()


@pytest.mark.parametrize("shape", [(1, 2, 2), (50, 20, 20), (7, 100, 100), (0, 5, 5)])
def test_slabs_are_the_whole_volume_in_order(small, shape):
    volume = np.zeros(shape, np.int16)
    rows = [row for part in mapped_arrays.by_slab(volume) for row in range(part.start, part.stop)]
    assert rows == list(range(shape[0]))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
def test_a_longer_scan_takes_hardly_more_memory(tmp_path):
    from ctseg.geometry.volume import Grid, Volume
    from ctseg.scans.nifti import write_nifti

    def peak_mib(slices: int) -> float:
        voxels = np.full((slices, 256, 256), -1000, np.int16)
        voxels[2:-2, 60:200, 60:200] = 50
        grid = Grid(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
        scan, mask = tmp_path / f"{slices}.nii.gz", tmp_path / f"{slices}_mask.nii.gz"
        write_nifti(Volume(voxels, grid), scan)
        command = [sys.executable, "-c", PROGRAM.format(scripts=str(SCRIPTS)), str(scan), str(mask)]
        found, peak_kib = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        assert found == "1"
        return int(peak_kib) / 1024

    short, long = peak_mib(150), peak_mib(750)  # 75 MiB of HU and 38 MiB of labels more
    assert long - short < 25
