"""Uploads that are malformed or meant to harm are answered with 4xx, and the next good one is served."""

import pytest

from ctseg.volume import write_nifti
from hostile import hostile
from real_data import real_data
from service import serving


@pytest.mark.timeout(300)
def test_each_gets_4xx_and_the_next_good_one_is_served(model_folder, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii")
    nifti = (tmp_path / "scan.nii").read_bytes()
    uploads = dict(hostile(nifti))
    assert len(set(uploads.values())) >= 300
    with serving(model_folder / "model.onnx", tmp_path / "service") as served:
        codes = {name: served.post(content).status_code for name, content in uploads.items()}
        assert {name: code for name, code in codes.items() if not 400 <= code < 429} == {}
        assert served.segment(nifti)[1]["components"]


@pytest.mark.realdata
@pytest.mark.timeout(300)
def test_odd_files_are_refused_or_end_with_a_reason(model_folder, tmp_path):
    files = [path for path in sorted(real_data("bad-inputs").rglob("*")) if path.is_file()]
    with serving(model_folder / "model.onnx", tmp_path) as served:
        for path in files:
            answer = served.post(path.read_bytes())
            assert answer.status_code == 202 or 400 <= answer.status_code < 429, path.name
            if answer.status_code == 202:
                job = served.ended(answer.json()["id"])
                assert job["state"] == "done" or (job["error"] and str(tmp_path) not in job["error"]), path.name
