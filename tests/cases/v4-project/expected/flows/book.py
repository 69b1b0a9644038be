# Generated from bmad/.bmad-core/workflows/book.yaml. Edit that file, then run bmad2pf.
"""From sources to a bound book."""

from pocketflow import AsyncFlow

from ..agents import Binder, Librarian
from ..runtime.spec import VERDICT
from ..runtime.subflow import Subflow
from . import book_stories

LIBRARIAN_INDEX_NOTE = """\
Make the index with index-tmpl.

Before it, if the input asks for it: visit archive."""
LIBRARIAN_MENDS_INDEX_NOTE = """\
If nothing was found against this document, give it back unchanged.

The findings are among the results."""
BINDER_SHARD_DOCUMENTS_NOTE = """\
Clear the table.

Shard documents.

Name the stories that are to be written, in the order of work, as the list `stories`: the epic, a title, and all that the documents say of it."""


def build() -> AsyncFlow:
    librarian_index = Librarian(
        id="librarian-index",
        creates="index",
        note=LIBRARIAN_INDEX_NOTE,
        shows=("templates/index-tmpl.yaml",),
        template="templates/index-tmpl.yaml",
    )
    binder_draft = Binder(
        id="binder-draft",
        requires=("index",),
        creates="draft",
        note="Handed over with: The index is ready.",
        when="inputs.conditions.index_is_long",
    )
    librarian_validates = Librarian(
        id="librarian-validates",
        requires=("index",),
        reads=("draft",),
        note="Validate: all artifacts.",
        shows=("checklists/sources-checklist.md",),
        output=VERDICT,
    )
    librarian_mends_index = Librarian(
        id="librarian-mends-index",
        requires=("index",),
        reads=("librarian-validates",),
        creates="index",
        note=LIBRARIAN_MENDS_INDEX_NOTE,
        when='inputs.conditions.sources_checklist_issues or results["librarian-validates"].verdict == "fail"',
    )
    binder_mends_draft = Binder(
        id="binder-mends-draft",
        requires=("draft",),
        reads=("librarian-validates",),
        creates="draft",
        note=LIBRARIAN_MENDS_INDEX_NOTE,
        when='inputs.conditions.sources_checklist_issues or results["librarian-validates"].verdict == "fail"',
    )
    binder_shard_documents = Binder(
        id="binder-shard-documents",
        requires=("index",),
        reads=("draft",),
        creates="sharded_docs",
        note=BINDER_SHARD_DOCUMENTS_NOTE,
        output={
            "type": "object",
            "properties": {
                "stories": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "epic": {"type": "string"},
                            "title": {"type": "string"},
                            "text": {"type": "string"},
                        },
                        "required": ["title", "text"],
                    },
                },
            },
            "required": ["stories"],
        },
    )
    story_cycle = Subflow(
        "story-cycle",
        book_stories.build,
        for_each=("binder-shard-documents", "stories"),
        max_items=50,
    )

    librarian_index >> binder_draft >> librarian_validates >> librarian_mends_index
    librarian_mends_index >> binder_mends_draft >> binder_shard_documents >> story_cycle

    return AsyncFlow(start=librarian_index)
