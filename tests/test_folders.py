"""Content of folders without hidden files and folders."""

import pytest

from ctseg.folders import visible_names, visible_paths, walk_files


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.dcm", "b/deep/3.dcm", "a/1.dcm", ".trash/4.dcm", "a/.cache/5.dcm", "a/.6.dcm", "0.txt"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    return tmp_path / "data"


def walked(folder):
    return [str(path.relative_to(folder)) for path in walk_files(folder)]


def test_hidden_names_are_left_out(folder):
    assert visible_names(folder) == ["0.txt", "a", "b"]
    assert visible_paths(folder) == [folder / "0.txt", folder / "a", folder / "b"]
    assert walked(folder) == ["0.txt", "a/1.dcm", "b/2.dcm", "b/deep/3.dcm"]


def test_a_folder_whose_own_name_is_hidden_is_walked_if_it_is_given(folder):
    assert walked(folder / ".trash") == ["4.dcm"]


def test_links_to_folders_are_followed_once(folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "7.dcm").touch()
    (elsewhere / "back").symlink_to(folder)
    for name in ("link", "same"):
        (folder / name).symlink_to(elsewhere)
    (folder / "b" / "deep" / "up").symlink_to(folder / "b")
    assert walked(folder) == ["0.txt", "a/1.dcm", "b/2.dcm", "b/deep/3.dcm", "link/7.dcm"]


def test_a_missing_folder_has_no_names_and_is_told_of(tmp_path):
    assert visible_names(tmp_path / "none") == []
    with pytest.raises(FileNotFoundError):
        visible_paths(tmp_path / "none")
    told = []
    assert list(walk_files(tmp_path / "none", told.append)) == []
    assert [error.filename for error in told] == [str(tmp_path / "none")]
