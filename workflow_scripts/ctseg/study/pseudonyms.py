"""Case names that tell nobody who the patient is.

A name may be kept, or replaced by a keyed pseudonym (HMAC-SHA-256, RFC 2104): without the key nobody can find out whose
name it was, not even by trying all patient numbers; with it, the same name gives the same pseudonym everywhere.
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
PSEUDONYM_LETTERS = 12  # 60 bits: a thousand billion to one against two equal ones among a thousand cases
PSEUDONYM = re.compile(rf"case-[a-z2-7]{{{PSEUDONYM_LETTERS}}}")
# A study's own codes: letters with at most four digits after them, and perhaps more such parts (STS_001, lung-12_b).
STUDY_CODE = re.compile(r"\d{0,2}[A-Za-z]+(?:[-_.]?[A-Za-z]+)*[-_.]?\d{1,4}(?:[-_.][A-Za-z]{0,3}\d{0,3})*")
YEAR_OF_BIRTH = re.compile(r"[A-Za-z][-_.]?(?:19|20)\d\d(?!\d)")


def safe_names(names: Iterable[str], key_file: str | Path, always: bool) -> dict[str, str]:
    """What each name is replaced by: by pseudonyms, if `always` or if any of them looks personal, else by itself.

    The key lies in `key_file`, and beside it `pseudonyms.tsv`, which tells whose pseudonym is whose. Raises ConfigError
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
    """Whether a name may be that, the number or the birth date of a patient, or a UID: anything but a study's code."""
    return not STUDY_CODE.fullmatch(name) or bool(YEAR_OF_BIRTH.search(name))


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of a pseudonym."""
    return bool(PSEUDONYM.fullmatch(name))


def shown_names(names: Iterable[str], cases: Iterable[str], key_file: str | Path) -> list[str]:
    """Names of cases that are left out, as results may show them: pseudonyms where the study's `cases` have some."""
    names = list(names)
    if not names or not any(map(is_pseudonym, cases)):
        return names
    key = read_key(key_file)
    return sorted({name if is_pseudonym(name) else pseudonym(name, key) for name in names})


def pseudonym(name: str, key: bytes) -> str:
    """What stands for a name: always the same for one key, and nothing that leads back without it."""
    digest = hmac.new(key, name.encode(), hashlib.sha256).digest()
    return "case-" + base64.b32encode(digest).decode().lower()[:PSEUDONYM_LETTERS]


def read_key(path: str | Path) -> bytes:
    """The secret key in a file that only its owner may read; made if there is none.

    Raises ConfigError when it cannot be read or written, or is too short to be a secret.
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
    """Keep which pseudonym stands for whom, beside the key and as secret as that; written only when it changed."""
    text = "case\tname\n" + "".join(f"{case}\t{name}\n" for case, name in sorted(pairs))
    path = Path(path)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")
