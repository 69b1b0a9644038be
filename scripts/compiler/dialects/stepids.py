"""Ids for the steps of a flow that a reader of another form writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...runtime import spec

_ROOM: Final = 5  # for what sets an id apart: `-step`, `-999`


class StepIds:
    """Gives each step of one flow an id of its own.

    A step's output is kept as the document of its id, so that none may be called like one of
    `documents`, those that other steps of the flow create; nor by a reserved word.
    """

    def __init__(self, documents: Iterable[str] = ()) -> None:
        self.documents = {spec.id_key(name) for name in documents}
        self.given = {spec.id_key(name) for name in spec.RESERVED_STEP_IDS}

    def give(self, base: str, own: str = "", other: str = "") -> str:
        """`base` if it is free, else `other` if that is, else `base` with something behind it.

        `own` is a document that only this step creates, and that it may be called like.
        """
        candidates = (base, other, f"{_cut(base)}-step")
        name = next((each for each in candidates if each and self._is_free(each, own)), "")
        number = 2
        while not name:
            numbered = f"{_cut(base)}-{number}"
            name = numbered if self._is_free(numbered, own) else ""
            number += 1
        self.given.add(spec.id_key(name))
        return name

    def _is_free(self, name: str, own: str) -> bool:
        key = spec.id_key(name)
        return key not in self.given and (key not in self.documents or name == own)


def _cut(base: str) -> str:
    return base[: spec.MAX_ID - _ROOM].rstrip("-_")
