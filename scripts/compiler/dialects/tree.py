"""A tree in a foreign form, as its readers see it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..diagnostics import Diagnostics, Position, one_line


@dataclass(slots=True)
class ForeignTree:
    """`files` by path (with `/`), `shown` is how messages call the folder, `name` its own name.

    A reader asks for `text`; what is no text is reported once, and is None then.
    """

    files: Mapping[str, bytes]
    shown: str
    name: str
    diagnostics: Diagnostics
    _texts: dict[str, str | None] = field(default_factory=dict)
    _paths: list[str] = field(default_factory=list)
    _names: dict[str, list[str]] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All paths, sorted."""
        if not self._paths:
            self._paths = sorted(self.files)
        return self._paths

    def below(self, folder: str) -> list[str]:
        """The paths below a folder, sorted; all of them for an empty name."""
        if not folder:
            return self.paths
        first = bisect_left(self.paths, f"{folder}/")
        last = bisect_left(self.paths, f"{folder}0")  # the sign behind "/"
        return self.paths[first:last]

    @property
    def by_name(self) -> Mapping[str, list[str]]:
        """The paths of all files by their last part, sorted."""
        if not self._names:
            for path in self.paths:
                self._names.setdefault(path.rpartition("/")[2], []).append(path)
        return self._names

    def at(self, path: str, line: int = 1, column: int = 1) -> Position:
        """A place for a finding."""
        return Position(f"{self.shown}/{path}", line, column)

    def text(self, path: str) -> str | None:
        """The file's text: line ends LF, without a byte order mark; None for one that is none.

        Control characters that cannot stand in text are taken out, with a finding.
        """
        if path not in self._texts:
            self._texts[path] = self._decode(path)
        return self._texts[path]

    def _decode(self, path: str) -> str | None:
        data = self.files[path]
        if is_utf_16(data):
            message = "the file is UTF-16, not UTF-8"
            self.diagnostics.add("BMAD602", self.at(path), message, "save it as UTF-8")
            return None
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
            self.diagnostics.add("BMAD602", self.at(path, line), message, "save it as UTF-8")
            return None
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        first = _CONTROL.search(text)
        if first is None:
            return text
        self._report_control(path, text, first.start())
        return _CONTROL.sub("", text)

    def _report_control(self, path: str, text: str, index: int) -> None:
        line = text.count("\n", 0, index) + 1
        column = index - text.rfind("\n", 0, index)
        message = f"control characters were taken out, the first is U+{ord(text[index]):04X}"
        at = self.at(path, line, column)
        self.diagnostics.add("BMAD603", at, one_line(message), "remove them from the file")


def is_utf_16(data: bytes) -> bool:
    """Whether a file says so at its beginning, or has a NUL beside nearly every letter there."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    first = data[:_LOOKED_AT]
    return len(first) > 1 and max(first[::2].count(0), first[1::2].count(0)) > len(first) // 3


_LOOKED_AT = 200  # bytes
# All but tab and line feed; half a surrogate pair cannot come of UTF-8, but of an escape.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
