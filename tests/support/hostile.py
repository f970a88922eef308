"""Malformed and malicious uploads, each with a name; none is a scan that can be segmented."""

import gzip
import io
import struct
import zipfile

import numpy as np

ZEROS = bytes(8 * 2**20)


def zip_of(entries):
    """Bytes of a deflated zip with entries (name or ZipInfo, bytes)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def link(name):
    """Zip entry of a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def hostile(nifti):
    """Pairs (name, bytes) of uploads, made from the bytes of a valid .nii."""
    rng = np.random.default_rng(0)
    packed = gzip.compress(nifti, 1)
    for number in range(60):
        yield f"random {number}", rng.bytes(1 + number * 37)
        yield f"cut nii {number}", nifti[: 1 + number * (len(nifti) - 2) // 60]
        yield f"cut gzip {number}", packed[: 2 + number * (len(packed) - 3) // 60]
    good = zip_of([("a/1", b"x" * 5000 + rng.bytes(5000))])
    for number in range(40):
        yield f"cut zip {number}", good[: 4 + number * (len(good) - 26) // 40]
        yield f"traversal {number}", zip_of([("../" * (number + 1) + "etc/passwd", b"x")])
    for number, name in enumerate(("/etc/passwd", "..\\a", "C:\\a", "a/../../b", "\\\\host\\a")):
        yield f"outside {number}", zip_of([(name, b"x")])
    for number in range(10):
        yield f"link {number}", zip_of([(link(f"l{number}"), b"/etc/passwd")])
        yield f"nested {number}", zip_of([(f"{number}.dcm", zip_of([("a", b"x")]))])
        yield f"zip bomb {number}", zip_of([(f"{number}", ZEROS)])
        yield f"gzip bomb {number}", gzip.compress(nifti[:352] + ZEROS * (number + 1))
    yield "encrypted", encrypted(good)
    yield "no entries", zip_of([])
    yield from changed_headers(nifti)


def encrypted(packed):
    """The zip with the encryption flag set in its central directory."""
    place = packed.rindex(b"PK\x01\x02") + 8
    return packed[:place] + struct.pack("<H", 1) + packed[place + 2 :]


def changed_headers(nifti):
    """Pairs (name, bytes) of the .nii with one invalid header field."""
    for number, dim in enumerate(
        [(2, 9, 9, 1), (4, 9, 9, 9, 9), (3, 0, 9, 9), (3, 32767, 32767, 32767), (3, -1, 9, 9)]
    ):
        yield f"dim {number}", patched(nifti, 40, struct.pack(f"<{len(dim)}h", *dim))
    for code in (0, 1, 32, 128, 1536, 1792, 2048, 2304, 999):
        yield f"datatype {code}", patched(nifti, 70, struct.pack("<h", code))
    for place in range(280, 328, 4):
        for value in (np.nan, np.inf):
            yield f"affine {place} {value}", patched(nifti, place, struct.pack("<f", value))
    for value in (np.nan, np.inf, -1.0, 1e30):
        yield f"offset {value}", patched(nifti, 108, struct.pack("<f", value))


def patched(nifti, place, content):
    """The bytes with `content` at offset `place`."""
    return nifti[:place] + content + nifti[place + len(content) :]
