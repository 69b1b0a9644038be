"""The author's files, each opened once: names and bytes, nothing understood yet.

It imports nothing heavy, because deciding that nothing has changed starts here. Read are
`agents/*.md`, `workflow.yaml`, `workflows/*.yaml`, `tools.yaml` and everything under `tools/`
but `__pycache__`; and, one by one, the files that an agent names. Names that begin with a dot
are left alone (an agent or a flow of such a name is told), as is all else at the top level.
Only regular files are read: a link is refused wherever it leads, so that a source tree means
the same in every checkout, and a pipe or a device is never opened.

Of a tree that is not in the native form (`scan_foreign`) every text is read but for what
programs leave behind: it may be an agent, and the compiler decides by what stands in it.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # importing typing costs as much as reading a hundred files
if TYPE_CHECKING:
    from typing import Final, Literal

    FaultKind = Literal["unreadable", "special", "large", "name", "unread", "missing"]

MAX_BYTES: Final = 1 << 20
MAX_FOREIGN: Final = 20_000  # files
TOOLS: Final = "tools/"
_FOLDERS: Final = ("agents", "workflows", "tools", "tasks", "templates", "checklists", "data")
_FILES: Final = ("workflow.yaml", "tools.yaml")
_TEXTS: Final = (".md", ".mdc", ".yaml", ".yml", ".toml", ".csv", ".xml", ".json", ".txt")
# What programs leave behind; and at the top, what a service that runs there has written.
_LEFT_ALONE: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_RUN_TIME: Final = frozenset({"docs", "memory"})
_HIDDEN: Final = frozenset({".claude", ".github", ".agents"})
_SKILLS: Final = "skills"  # what is read of other hidden folders: editors keep skills there
_OUTPUT: Final = "manifest.sha256"
_OPEN_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class SourceFault:
    """A file that cannot be taken, or (`unread`) that nobody reads; `path` is relative."""

    __slots__ = ("hint", "kind", "message", "path")

    def __init__(self, path: str, kind: FaultKind, message: str, hint: str = "") -> None:
        self.path = path
        self.kind = kind
        self.message = message
        self.hint = hint


if TYPE_CHECKING:
    Scanned = tuple[list[tuple[str, bytes]], list[SourceFault]]


def scan(src: str | os.PathLike[str]) -> Scanned:
    """Path (with `/`) and bytes of every file, and every fault, both by path.

    Raises OSError when `src` itself cannot be listed.
    """
    found = _Scan(os.fspath(src))
    found.take_top()
    return sorted(found.files), sorted(found.faults, key=lambda fault: fault.path)


def scan_foreign(src: str | os.PathLike[str]) -> Scanned:
    """As `scan`, of a tree in another form: every text below `src`.

    Hidden folders are left out but for those of BMAD and of agents, and the `skills` of others;
    so are folders that a compiler of ours has written, and `docs` and `memory` at the top.
    Links are told.
    """
    found = _Scan(os.fspath(src))
    found.take_foreign()
    return sorted(found.files), sorted(found.faults, key=lambda fault: fault.path)


def take(src: str | os.PathLike[str], path: str) -> bytes | SourceFault:
    """The bytes of the one file at `path` (with `/`, no dots) below `src`."""
    found = _Scan(os.fspath(src))
    found.take_named(path)
    return found.files[0][1] if found.files else found.faults[0]


class _Scan:
    def __init__(self, root: str) -> None:
        self.root = root
        self.files: list[tuple[str, bytes]] = []
        self.faults: list[SourceFault] = []

    def take_top(self) -> None:
        with os.scandir(self.root) as entries:
            top = {entry.name: entry for entry in entries}
        for name in ("workflow.yaml", "tools.yaml"):
            if name in top:
                self._take_file(top[name], name)
        for name, suffix in (("agents", ".md"), ("workflows", ".yaml")):
            if name in top and self._is_folder(top[name], name):
                self._take_folder(name, suffix)
        if "tools" in top and self._is_folder(top["tools"], "tools"):
            self._take_tree("tools")
        self._tell_nearly(top)

    def _tell_nearly(self, top: dict[str, os.DirEntry[str]]) -> None:
        """Tell files and folders at the top whose names are nearly those of sources."""
        for name, entry in top.items():
            known = _FOLDERS if entry.is_dir(follow_symlinks=False) else _FILES
            meant = _nearly(name, known)
            if meant:
                do = "move what it holds to" if meant in top else "rename it to"
                self._add(name, "unread", f'"{name}" is not read', f'{do} "{meant}"')

    def take_foreign(self) -> None:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            entries = self._list_foreign(folder)
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}{entry.name}"
                if entry.is_symlink():
                    hint = "put a copy of it here, if it belongs to the project"
                    self._add(path, "unread", f'"{entry.name}" is a link and is not read', hint)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                elif len(self.files) < MAX_FOREIGN:
                    self._take_foreign_file(path)
                else:
                    message = f"there are more than {MAX_FOREIGN:,} files here"
                    self._add(path, "large", message, "name the folder that holds the agents")
                    return

    def _list_foreign(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self.root}/{folder}") as entries:
                found = list(entries)
        except OSError as error:
            if not folder:
                raise
            message = f"the folder cannot be listed: {_reason(error)}"
            self._add(folder.removesuffix("/"), "unread", message)
            return []
        if folder and any(entry.name == _OUTPUT for entry in found):
            return []
        if _is_hidden(folder[:-1].rpartition("/")[2]):  # of an editor nothing but skills
            found = [entry for entry in found if entry.name == _SKILLS]
        return [entry for entry in found if self._is_wanted(folder, entry)]

    def _is_wanted(self, folder: str, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            if _is_hidden(name):
                return os.path.isdir(f"{entry.path}/{_SKILLS}")  # noqa: PTH112
            return not (name in _LEFT_ALONE or (not folder and name in _RUN_TIME))
        if name.startswith(".") or not name.lower().endswith(_TEXTS):
            return False
        return self._has_usable_name(folder.removesuffix("/"), name)

    def _take_foreign_file(self, path: str) -> None:
        before = len(self.faults)
        self._read(path)
        for fault in self.faults[before:]:
            fault.kind = "unread"  # it may be no part of the project at all

    def take_named(self, path: str) -> None:
        here, mode = self.root, stat.S_IFDIR
        for part in path.split("/"):
            here = f"{here}/{part}"
            try:
                mode = os.lstat(here).st_mode if stat.S_ISDIR(mode) else 0
            except FileNotFoundError:
                mode = 0
            except OSError as error:
                self._add(path, "unreadable", f"the file cannot be read: {_reason(error)}")
                return
            if stat.S_ISLNK(mode):
                hint = "put a copy of it here"
                self._add(path, "special", f'"{part}" in "{path}" is a link', hint)
                return
            if not mode:
                self._add(path, "missing", f'there is no file "{path}"')
                return
        if stat.S_ISDIR(mode):
            self._add(path, "unreadable", f'"{path}" is a folder, not a file', "name a file in it")
        else:
            self._read(path)

    def _take_folder(self, folder: str, suffix: str) -> None:
        for entry in self._list(folder, seen=suffix):
            path = f"{folder}/{entry.name}"
            if entry.name.startswith("."):
                hint = "rename it: a name that begins with a dot is left alone"
                self._add(path, "unread", f'"{entry.name}" is not read', hint)
            elif entry.name.endswith(suffix):
                self._take_file(entry, path)
            else:
                hint = f'only "*{suffix}" files directly in "{folder}/" are read'
                self._add(path, "unread", f'"{entry.name}" is not read', hint)

    def _take_tree(self, top: str) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            for entry in self._list(folder):
                path = f"{folder}/{entry.name}"
                if entry.name == "__pycache__" or entry.name.endswith(".pyc"):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    self._take_file(entry, path)

    def _list(self, folder: str, seen: str = "") -> list[os.DirEntry[str]]:
        """What stands in a folder; hidden names only when they end with `seen`."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:  # noqa: PTH118
                return [
                    entry
                    for entry in entries
                    if not entry.name.startswith(".") or (seen and entry.name.endswith(seen))
                    if self._has_usable_name(folder, entry.name)
                ]
        except OSError as error:
            self._add(folder, "unreadable", f"the folder cannot be listed: {_reason(error)}")
            return []

    def _has_usable_name(self, folder: str, name: str) -> bool:
        if name.isprintable() and "\\" not in name:
            return True
        shown = ascii(name)[1:-1]
        message = f'a file name holds a character that is not allowed: "{shown}"'
        self._add(f"{folder}/{shown}", "name", message, "rename it")
        return False

    def _is_folder(self, entry: os.DirEntry[str], path: str) -> bool:
        if entry.is_dir(follow_symlinks=False):
            return True
        if entry.is_file(follow_symlinks=False):
            self._add(path, "unreadable", f'"{path}" is a file, not a folder', "make it a folder")
        else:
            self._refuse_special(entry, path)
        return False

    def _take_file(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_dir(follow_symlinks=False):
            self._add(path, "unreadable", f'"{entry.name}" is a folder, not a file', "rename it")
        elif not entry.is_file(follow_symlinks=False):
            self._refuse_special(entry, path)
        else:
            self._read(path)

    def _refuse_special(self, entry: os.DirEntry[str], path: str) -> None:
        link = entry.is_symlink()
        what = "a link" if link else "not a regular file"
        hint = "put a copy of the file here" if link else "remove it"
        self._add(path, "special", f'"{entry.name}" is {what}', hint)

    def _read(self, path: str) -> None:
        try:
            handle = os.open(f"{self.root}/{path}", _OPEN_FLAGS)
        except OSError as error:
            self._add(path, "unreadable", f"the file cannot be read: {_reason(error)}")
            return
        try:
            self._read_handle(path, handle)
        except OSError as error:
            self._add(path, "unreadable", f"the file cannot be read: {_reason(error)}")
        finally:
            os.close(handle)

    def _read_handle(self, path: str, handle: int) -> None:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            self._add(path, "special", f'"{path}" is not a regular file', "remove it")
        elif status.st_size > MAX_BYTES:
            message = f"the file has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read"
            self._add(path, "large", message, "make it shorter, or split it")
        else:
            self.files.append((path, _read_all(handle, status.st_size)))

    def _add(self, path: str, kind: FaultKind, message: str, hint: str = "") -> None:
        self.faults.append(SourceFault(path, kind, message, hint))


def _read_all(handle: int, size: int) -> bytes:
    data = os.read(handle, size + 1)
    while len(data) < size and (more := os.read(handle, size - len(data))):
        data += more
    return data


def _nearly(name: str, known: tuple[str, ...]) -> str:
    """The known name that `name` is but for its case, its number, its order or `.yml`; or "".

    It is all that can be told without what compares texts, which takes long to import.
    """
    letters = _letters(name)
    return "" if name in known else next((x for x in known if _letters(x) == letters), "")


def _letters(name: str) -> tuple[list[str], str]:
    stem, _, ending = name.casefold().partition(".")
    stem = stem.removesuffix("s")
    if ending in ("yml", "yaml"):  # flows stand in workflow.yaml
        return sorted("workflow" if stem == "flow" else stem), "yaml"
    return sorted(stem), ending


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and not (name.startswith(".bmad") or name in _HIDDEN)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
