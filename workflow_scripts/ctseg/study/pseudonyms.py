"""Pseudonyms for case names that may identify a patient.

A name is kept or replaced by a keyed pseudonym (HMAC-SHA-256, RFC 2104). Without the key the name cannot be found, not
even by trying all patient numbers; with the key, the same name has the same pseudonym everywhere.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ctseg.errors import ConfigError
from ctseg.files import atomic_path

LOOKUP = "pseudonyms.tsv"
PSEUDONYM_LETTERS = 12  # 60 bits: among 1,000 cases two are equal with a probability of 4e-13
PSEUDONYM = re.compile(rf"case-[a-z2-7]{{{PSEUDONYM_LETTERS}}}")
# Case codes of a study: letters followed by one to four digits, and optionally more short parts (STS_001, lung-12_b).
STUDY_CODE = re.compile(r"\d{0,2}[A-Za-z]+(?:[-_.]?[A-Za-z]+)*[-_.]?\d{1,4}(?:[-_.][A-Za-z]{0,3}\d{0,3})*")
YEAR_OF_BIRTH = re.compile(r"[A-Za-z][-_.]?(?:19|20)\d\d(?!\d)")


def safe_names(names: Iterable[str], key_file: str | Path, always: bool) -> dict[str, str]:
    """New name of each name: a pseudonym if `always` or if any of the names looks personal, else the name itself.

    The key is in `key_file`; the file `pseudonyms.tsv` in the same folder maps pseudonyms to names. Raises ConfigError
    as `read_key` does.
    """
    names = list(names)
    if not names or not (always or any(map(looks_personal, names))):
        return {name: name for name in names}
    key = read_key(key_file)
    replaced = {name: pseudonym(name, key) for name in names}
    write_lookup(((made, name) for name, made in replaced.items()), Path(key_file).with_name(LOOKUP))
    return replaced


def looks_personal(name: str) -> bool:
    """Whether a name may be a patient's name, number or birth date, or a UID: true unless it is a study's code."""
    return not STUDY_CODE.fullmatch(name) or bool(YEAR_OF_BIRTH.search(name))


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of a pseudonym."""
    return bool(PSEUDONYM.fullmatch(name))


def shown_names(names: Iterable[str], cases: Iterable[str], key_file: str | Path) -> list[str]:
    """Names of excluded cases as results may show them: pseudonyms, sorted, if the study's `cases` have pseudonyms."""
    names = list(names)
    if not names or not any(map(is_pseudonym, cases)):
        return names
    key = read_key(key_file)
    return sorted({name if is_pseudonym(name) else pseudonym(name, key) for name in names})


def pseudonym(name: str, key: bytes) -> str:
    """The pseudonym of a name: always the same for one key, and not reversible without the key."""
    digest = hmac.new(key, name.encode(), hashlib.sha256).digest()
    return "case-" + base64.b32encode(digest).decode().lower()[:PSEUDONYM_LETTERS]


def read_key(path: str | Path) -> bytes:
    """The secret key in a file; a missing file is made with a new key, and only its owner can read it.

    Raises ConfigError if the file cannot be read or written, or has fewer than 16 bytes.
    """
    path = Path(path)
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(os.urandom(32).hex() + "\n")
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"cases.key_file: {path} cannot be used: {error.strerror}") from None
    if len(key) < 16:
        raise ConfigError(f"cases.key_file: {path} is too short to be a secret key; delete it to make a new one")
    return key


def write_lookup(pairs: Iterable[tuple[str, str]], path: str | Path) -> None:
    """Add to the table of pseudonyms and names, readable only by its owner like the key; it is kept if none is new.

    Rows of other studies with the same key, and of cases that are no longer there, stay: results may still show them.
    """
    path = Path(path)
    former = path.read_text(encoding="utf-8").splitlines(keepends=True)[1:] if path.exists() else []
    rows = {f"{case}\t{name}\n" for case, name in pairs}
    if rows <= set(former):
        return
    text = "case\tname\n" + "".join(sorted(rows | set(former)))
    with atomic_path(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")
