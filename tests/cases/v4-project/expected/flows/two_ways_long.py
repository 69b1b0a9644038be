# Generated from bmad/.bmad-core/workflows/two-ways.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Binder, Librarian
from ..runtime.flow import End
from ..runtime.gate import Gate


def build() -> AsyncFlow:
    sort = Librarian(
        id="sort",
        note="Sort the sources.",
        actions=("long-book", "short-book"),
    )
    short_book = Binder(
        id="short-book",
        note="A pamphlet.",
        shows=("tasks/press.md",),
        actions=("done",),
    )
    stranger_note = Gate(
        "stranger-note",
        question="stranger is to make note.md.",
        actions=("approve", "reject"),
    )
    librarian_long = Librarian(id="librarian-long", creates="long")
    end = End()

    sort - "short-book" >> short_book
    sort - "long-book" >> stranger_note
    short_book - "done" >> end
    stranger_note >> librarian_long

    return AsyncFlow(start=sort)
