"""The code of NiiVue, a viewer for volumes in WebGL2, out of the package `ipyniivue` that is installed.

The package holds NiiVue as part of a widget for notebooks, a JavaScript module that exports the widget alone. Here it
becomes a script that gives the class away as `window.Niivue`: a script also runs in a page that was opened from a file.
NiiVue and ipyniivue are under the BSD 2-Clause licence, whose text precedes the code.
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
    """NiiVue's code as a classic script that sets `window.Niivue`; None where the package is missing or another one."""
    try:
        found = {str(path): path for path in files(PACKAGE) or []}
    except PackageNotFoundError:
        return None
    licence = [path for name, path in found.items() if name.endswith(LICENCE)]
    if BUNDLE not in found or not licence:
        return None
    return as_script(found[BUNDLE].read_text("utf-8"), licence[0].read_text("utf-8"))


def as_script(module: str, licence: str) -> bytes | None:
    """A bundle as such a script, behind its licence; None where it is not built as expected."""
    name, export = CLASS.search(module), EXPORT.search(module)
    if not name or not export:
        return None
    notice = licence.replace("*/", "* /").strip()
    code = f"/*!\n{notice}\n*/\n(() => {{\n{module[: export.start()]}\nwindow.Niivue = {name[1]};\n}})();\n"
    return code.encode()
