# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import book, book_stories, two_ways_long, two_ways_short

FLOWS = {
    "book-stories": Flow(
        "book-stories",
        book_stories.build,
        description="One story of book.",
    ),
    "book": Flow("book", book.build, description="From sources to a bound book."),
    "two-ways-long": Flow("two-ways-long", two_ways_long.build),
    "two-ways-short": Flow("two-ways-short", two_ways_short.build),
}
