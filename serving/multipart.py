"""Parser for multipart bodies (RFC 2046) that writes the parts to files during the download."""

from email.message import Message
from pathlib import Path

from serving.refused import Refused

MAX_HEAD = 16 * 1024  # bytes of the header of a part


def boundary_of(content_type: str) -> bytes | None:
    """Boundary parameter of a multipart content type; None for any other content type."""
    told = Message()
    told["Content-Type"] = content_type
    boundary = told.get_boundary()
    return boundary.encode("latin-1", "replace") if boundary and told.get_content_maintype() == "multipart" else None


class Parts:
    """Writes each part of a multipart body to a numbered file; memory holds only the last chunk and unfinished data.

    The names end in .dcm, so that the DICOM reader does not leave out a part that is damaged or empty.
    """

    def __init__(self, boundary: bytes, folder: Path, max_parts: int) -> None:
        """Write at most `max_parts` files into `folder`."""
        self._mark = b"\r\n--" + boundary
        self._folder, self._max_parts = folder, max_parts
        self._left = b"\r\n"  # the first boundary may start the body, without a line break before it
        self._inside: Path | None = None
        self._number = 0
        self.complete = False

    def feed(self, chunk: bytes) -> None:
        """Process the next bytes of the body. Raises Refused for too many parts or if a part has no valid beginning."""
        self._left += chunk
        while not self.complete and self._step():
            pass
        if self.complete:
            self._left = b""

    def _step(self) -> bool:
        """Process the buffered bytes; whether another step is possible without further bytes."""
        return self._write() if self._inside else self._begin()

    def _begin(self) -> bool:
        """Skip a boundary and the header of a part; false if they are not complete yet."""
        start = self._left.find(self._mark)
        after = start + len(self._mark)
        if start >= 0 and self._left[after : after + 2] == b"--":
            self.complete = True
            return True
        end = self._left.find(b"\r\n\r\n", after) if start >= 0 else -1
        if end < 0:
            if len(self._left) > MAX_HEAD + len(self._mark):
                raise Refused(502, "the DICOMweb server sent no parts where some were announced")
            return False
        if self._number >= self._max_parts:
            raise Refused(413, f"the series has more than the {self._max_parts} files that this service takes")
        self._inside = self._folder / f"{self._number:06d}.dcm"
        self._inside.touch()
        self._number += 1
        self._left = self._left[end + 4 :]
        return True

    def _write(self) -> bool:
        """Write the buffered bytes of the part, except bytes that may begin a boundary; whether the part ended."""
        assert self._inside
        end = self._left.find(self._mark)
        sure = end if end >= 0 else max(0, len(self._left) - len(self._mark))
        if sure:
            with self._inside.open("ab") as stream:
                stream.write(self._left[:sure])
        self._left = self._left[sure:]
        if end < 0:
            return False
        self._inside = None
        return True
