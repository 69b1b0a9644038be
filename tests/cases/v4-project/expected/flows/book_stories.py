# Generated from bmad/.bmad-core/workflows/book.yaml. Edit that file, then run bmad2pf.
"""One story of book."""

from pocketflow import AsyncFlow

from ..agents import Binder, Dev, Librarian
from ..runtime.flow import End


def build() -> AsyncFlow:
    librarian_write_chapter = Librarian(
        id="librarian-write-chapter",
        requires=("sharded_docs",),
        creates="chapter",
        note="Write chapter.",
    )
    dev_review_chapter = Dev(
        id="dev-review-chapter",
        requires=("chapter",),
        creates="chapter",
        note="Review chapter.",
        actions=("approve", "revise"),
        when='inputs.optional["dev-review-chapter"]',
        max_visits=3,
    )
    binder_mend_chapter = Binder(
        id="binder-mend-chapter",
        requires=("chapter",),
        creates="chapter",
        note="Mend chapter.",
        actions=("done",),
        when='results["dev-review-chapter"] != null or inputs.conditions.dev_left_unchecked_items',
        max_visits=3,
    )
    end = End()

    librarian_write_chapter >> dev_review_chapter
    dev_review_chapter - "approve" >> end
    dev_review_chapter - "revise" >> binder_mend_chapter
    dev_review_chapter >> binder_mend_chapter
    binder_mend_chapter - "done" >> dev_review_chapter
    binder_mend_chapter >> end

    return AsyncFlow(start=librarian_write_chapter)
