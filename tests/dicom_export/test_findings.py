"""What is told of a model."""

from ctseg.dicom_export.findings import hash_of


def test_the_hash_of_a_model_is_that_of_its_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    assert hash_of(tmp_path / "model.onnx").startswith("ba7816bf")


def test_another_byte_is_another_model(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"abd")
    assert len({hash_of(tmp_path / "a"), hash_of(tmp_path / "b")}) == 2
    assert hash_of(str(tmp_path / "a")) == hash_of(tmp_path / "a")
