"""Code of NiiVue from the installed package, as a script; needs the packages of the page."""

import subprocess
from shutil import which

import pytest

from ctseg.report import niivue
from ctseg.report.niivue import as_script, niivue_script

MODULE = (
    'class N{};let v;function f(A){console.log("Creating new Niivue instance");let B={};v=new N(B)}'
    "export{f as default};\n"
)


def test_a_module_becomes_a_script_behind_its_licence():
    code = as_script(MODULE, "Free */ for all").decode()
    assert code.startswith("/*!\nFree * / for all\n*/")
    assert "window.Niivue = N;" in code
    assert "export" not in code


@pytest.mark.parametrize("other", [MODULE.replace("Creating", "Making"), MODULE.partition("export")[0]])
def test_a_module_that_is_built_in_another_way_gives_none(other):
    assert as_script(other, "Free") is None


def test_without_the_package_there_is_none(monkeypatch):
    monkeypatch.setattr(niivue, "PACKAGE", "no-such-package-is-installed")
    assert niivue_script.__wrapped__() is None


@pytest.mark.skipif(not which("node"), reason="needs node")
def test_the_installed_one_is_a_script_that_asks_nothing_of_the_network(tmp_path):
    code = niivue_script()
    assert b"Redistribution and use" in code[:2000]
    (tmp_path / "niivue.js").write_bytes(b"globalThis.window = globalThis;\n" + code + b"\nconsole.log(typeof Niivue);")
    run = subprocess.run(["node", tmp_path / "niivue.js"], capture_output=True, text=True, check=False)
    assert run.stdout.strip().endswith("function"), run.stderr[-500:]
