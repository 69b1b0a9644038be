"""A model's text as it comes: the first piece at once, all of it in order, never raw JSON."""

from __future__ import annotations

import asyncio
import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.deltas import AnswerText, Deltas


def test_the_first_piece_goes_at_once_and_the_rest_together() -> None:
    async def main() -> None:
        sent: list[str] = []
        deltas = Deltas(sent.append)
        deltas.add("a")
        assert sent == ["a"]
        for letter in "bcd":
            deltas.add(letter)
        assert sent == ["a"], "what comes right after is joined"
        while len(sent) == 1:
            await asyncio.sleep(0)
        assert sent == ["a", "bcd"]
        deltas.add("e")
        deltas.close()
        assert sent == ["a", "bcd", "e"]

    asyncio.run(main())


def cut(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[one:other] for one, other in itertools.pairwise(bounds)]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXTS, st.lists(st.integers(0, 500), max_size=30), st.booleans(), st.sampled_from([None, 2]))
def test_the_answers_text_comes_out_whole_however_it_is_cut(
    answer: str, places: list[int], ascii_only: bool, indent: int | None
) -> None:
    whole = json.dumps({"answer": answer, "action": "ok"}, ensure_ascii=ascii_only, indent=indent)
    shown = AnswerText()
    assert "".join(shown.feed(piece) for piece in cut(whole, places)) == answer


@given(TEXTS, st.lists(st.integers(0, 500), max_size=30))
def test_plain_text_stays_as_it_is(text: str, places: list[int]) -> None:
    plain = f"So: {text}"
    shown = AnswerText()
    assert "".join(shown.feed(piece) for piece in cut(plain, places)) == plain


def test_an_object_of_another_kind_is_shown_as_it_is() -> None:
    shown = AnswerText()
    text = '{"verdict": "yes"}'
    assert "".join(shown.feed(letter) for letter in text) == text
