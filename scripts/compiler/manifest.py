"""What a tree was made of and holds: `manifest.sha256`, which `sha256sum -c` reads too."""

from __future__ import annotations

NAME = "manifest.sha256"
NEXT = NAME + ".next"
_MADE_BY = "# Written by bmad2pf "
_FORMATTER = "# formatter "
_DIALECT = "# dialect "
_FINDING = "# finding "
_PARTS = 7  # of a finding
_BY = ", formatted by "
_MEMORY = "# memory "
_HEX = frozenset("0123456789abcdef")


class Damaged(Exception):
    """The text is no manifest of ours."""


class Manifest:
    """Paths with their SHA-256: `sources` as in headers, `files` relative to the tree.

    `dialect` is what the sources were written in, empty for the native form. `told` are the
    findings themselves, each as (severity, code, line, column, path below the sources, message,
    hint), when all of them are of the sources.

    `scopes` says of each agent which memories it works in. `findings` counts the warnings and
    notes that were said. `formatter` was to format the files, and is part of `compiler`;
    `formatted` is the one that did. `was` lists files that an interrupted compiler left behind,
    as pairs of path and hash; only the manifest of a tree in change has it.
    """

    __slots__ = (
        "agents",
        "compiler",
        "dialect",
        "files",
        "findings",
        "flows",
        "formatted",
        "formatter",
        "scopes",
        "sources",
        "told",
        "version",
        "was",
    )

    def __init__(self, version: str, compiler: str) -> None:
        self.version = version
        self.compiler = compiler
        self.agents = 0
        self.flows = 0
        self.findings = 0
        self.dialect = ""
        self.formatter = ""
        self.formatted = ""
        self.sources: dict[str, str] = {}
        self.told: list[tuple[str, ...]] = []
        self.scopes: dict[str, tuple[str, ...]] = {}
        self.files: dict[str, str] = {}
        self.was: list[tuple[str, str]] = []

    def encode(self) -> bytes:
        """The file's bytes: sorted, no time, no absolute path."""
        lines = [
            f"{_MADE_BY}{self.version}. Do not edit.",
            f"# compiler {self.compiler}",
            f"# agents {self.agents} flows {self.flows} findings {self.findings}",
            *([f"{_FORMATTER}{self.formatter}{_BY}{self.formatted}"] if self.formatter else ()),
            *([f"{_DIALECT}{self.dialect}"] if self.dialect else ()),
            *("# finding " + "\t".join(parts) for parts in self.told),
            *(f"# source {digest}  {path}" for path, digest in sorted(self.sources.items())),
            *(f"{_MEMORY}{' '.join(each)}  {id}" for id, each in sorted(self.scopes.items())),
            *(f"# was {digest}  {path}" for path, digest in sorted(self.was)),
            *(f"{digest}  {path}" for path, digest in sorted(self.files.items())),
        ]
        return ("\n".join(lines) + "\n").encode()


def decode(data: bytes) -> Manifest:
    """The manifest in `data`; raises Damaged, also for paths that lead out of the tree."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise Damaged from None
    if len(lines) < 4 or not lines[0].startswith(_MADE_BY) or lines[-1]:
        raise Damaged
    version = lines[0][len(_MADE_BY) :].removesuffix(". Do not edit.")
    manifest = Manifest(version, lines[1].removeprefix("# compiler "))
    _counts(manifest, lines[2].split(" "))
    rest = lines[3:-1]
    if rest and rest[0].startswith(_FORMATTER):
        words = rest.pop(0)[len(_FORMATTER) :]
        manifest.formatter, _, manifest.formatted = words.partition(_BY)
    if rest and rest[0].startswith(_DIALECT):
        manifest.dialect = rest.pop(0)[len(_DIALECT) :]
    while rest and rest[0].startswith(_FINDING):
        parts = tuple(rest.pop(0)[len(_FINDING) :].split("\t"))
        if len(parts) != _PARTS or not (parts[2] + parts[3]).isdigit():
            raise Damaged
        manifest.told.append(parts)
    for line in rest:
        _entry(manifest, line)
    return manifest


def _counts(manifest: Manifest, words: list[str]) -> None:
    if len(words) != 7 or words[1::2] != ["agents", "flows", "findings"]:
        raise Damaged
    try:
        manifest.agents, manifest.flows, manifest.findings = map(int, words[2::2])
    except ValueError:
        raise Damaged from None


def _entry(manifest: Manifest, line: str) -> None:
    kind = ""
    if line.startswith(_MEMORY):
        scopes, _, agent = line[len(_MEMORY) :].partition("  ")
        manifest.scopes[agent] = tuple(scopes.split(" "))
        return
    if line.startswith("# "):
        _, kind, line = line.split(" ", 2) if line.count(" ") > 1 else ("", "?", "")
    digest, path = line[:64], line[66:]
    if line[64:66] != "  " or not _HEX.issuperset(digest) or not _is_inside(path):
        raise Damaged
    if kind == "":
        manifest.files[path] = digest
    elif kind == "source":
        manifest.sources[path] = digest
    elif kind == "was":
        manifest.was.append((path, digest))
    else:
        raise Damaged


def _is_inside(path: str) -> bool:
    if path.startswith("/") or "\\" in path or not path:
        return False
    return ".." not in path or not {"..", "."} & set(path.split("/"))
