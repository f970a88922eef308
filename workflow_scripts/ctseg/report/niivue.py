"""Code of NiiVue, a viewer for volumes in WebGL2, from the installed package `ipyniivue`.

The package contains NiiVue as part of a notebook widget, a JavaScript module that exports only the widget. This module
converts it to a script that sets the class as `window.Niivue`, because a script also runs in a page opened from a file.
NiiVue and ipyniivue are under the BSD 2-Clause licence; its text precedes the code.
"""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, files

PACKAGE = "ipyniivue"
BUNDLE, LICENCE = "ipyniivue/static/widget.js", "licenses/LICENSE"
CLASS = re.compile(r'"Creating new Niivue instance"\);.{0,100}?\b\w+=new (\w+)\(', re.DOTALL)
EXPORT = re.compile(r"export\s*\{[^{}]*\};?\s*$")


@cache
def niivue_script() -> bytes | None:
    """NiiVue's code as a classic script that sets `window.Niivue`; None if the package is missing or unexpected."""
    try:
        found = {str(path): path for path in files(PACKAGE) or []}
    except PackageNotFoundError:
        return None
    licence = [path for name, path in found.items() if name.endswith(LICENCE)]
    if BUNDLE not in found or not licence:
        return None
    return as_script(found[BUNDLE].read_text("utf-8"), licence[0].read_text("utf-8"))


def as_script(module: str, licence: str) -> bytes | None:
    """The bundle as a script that sets `window.Niivue`, after its licence; None if its structure is unexpected."""
    name, export = CLASS.search(module), EXPORT.search(module)
    if not name or not export:
        return None
    notice = licence.replace("*/", "* /").strip()
    code = f"/*!\n{notice}\n*/\n(() => {{\n{module[: export.start()]}\nwindow.Niivue = {name[1]};\n}})();\n"
    return code.encode()
