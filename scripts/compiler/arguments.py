"""What the command was asked to do, and the short way to read it.

`plain` understands the usual spellings without Typer and leaves all else to it: help,
mistakes, abbreviations. A test holds the two against each other.
"""

from __future__ import annotations

FLAGS = ("--check", "--strict", "--diff", "--force", "--keep-going", "--verbose")
COMING = ("init", "watch", "run", "graph", "explain", "schema")
COMMANDS = ("import", *COMING)
FORMATS = ("text", "json")
HELP = {"help_option_names": ["-h", "--help"]}  # as Typer takes it
SRC, OUT = "./bmad", "./generated"


class Options:
    """`src` and `out` as they were typed; `format` is one of FORMATS."""

    __slots__ = (
        "check",
        "diff",
        "force",
        "format",
        "keep_going",
        "out",
        "src",
        "strict",
        "verbose",
    )

    def __init__(self) -> None:
        self.src = SRC
        self.out = OUT
        self.format = "text"
        self.check = False
        self.strict = False
        self.diff = False
        self.force = False
        self.keep_going = False
        self.verbose = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Options):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Options({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def plain(words: list[str]) -> Options | None:
    """The options that `words` ask for; None when Typer should read them."""
    options = Options()
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        if word in FLAGS:
            setattr(options, word[2:].replace("-", "_"), True)
        elif name in ("--src", "--out", "--output-format"):
            value = value if equals else next(waiting, "")
            if not value or value.startswith("-"):
                return None
            if name == "--output-format" and value not in FORMATS:
                return None
            setattr(options, "format" if name == "--output-format" else name[2:], value)
        else:
            return None
    return None if options.diff and options.format == "json" else options


def not_yet(words: list[str]) -> str | None:
    """The command at the head of `words` that is known and not built."""
    return words[0] if words and words[0] in COMING else None
