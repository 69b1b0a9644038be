"""What every memory does alike, as one model: a dict that keeps its history.

`test_conformance.py` holds it against each backend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scripts.runtime.errors import InvalidName
from scripts.runtime.stores.protocol import CATEGORIES, Entry, MemoryStore

Open = Callable[[], MemoryStore]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
# Names that a careless encoding would take for one another.
SCOPES = ("a:S-1", "a:S_1", "a_S:1", "a-S:1", "a:1", "shared:S-1", "shared:a_S-1", "memory:a")
KEYS = ("k", "k.1", "K", "seq", "memory")


@dataclass
class Model:
    """One scope as it should be."""

    seq: int = 0
    newest: dict[str, Entry] = field(default_factory=dict)
    writes: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.seq = entry.seq
        self.newest.pop(entry.key, None)
        if entry.op == "set":
            self.newest[entry.key] = entry
        self.writes.append(entry)


def moved(entries: list[Entry], scope: str) -> list[Entry]:
    return [entry._replace(scope=scope) for entry in entries]


class Conformance(RuleBasedStateMachine):
    """Two stores on the same data, as two processes have them, against one dict."""

    scopes = st.sampled_from(SCOPES)
    keys = st.sampled_from(KEYS)
    stores_ = st.integers(0, 1)
    values = JSON | st.integers(10_900, 50_000).map("é".__mul__)
    open: Open

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: dict[str, Model] = {}
        self.marked: dict[tuple[str, str], list[Entry]] = {}

    @initialize()
    def begin(self) -> None:
        opened = type(self).open
        self.stores = [opened(), opened()]

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    def of(self, scope: str) -> Model:
        return self.model.setdefault(scope, Model())

    @rule(
        who=stores_,
        scope=scopes,
        key=keys,
        value=values,
        category=st.sampled_from(CATEGORIES) | st.none(),
    )
    def put(self, who: int, scope: str, key: str, value: Any, category: str | None) -> None:
        entry = self.run(self.stores[who].put(scope, key, value, category=category))
        assert (entry.key, entry.value, entry.scope, entry.op) == (key, value, scope, "set")
        assert (entry.seq, entry.category) == (self.of(scope).seq + 1, category)
        self.of(scope).add(entry)

    @rule(who=stores_, scope=scopes, key=keys)
    def delete(self, who: int, scope: str, key: str) -> None:
        model = self.of(scope)
        was_there = key in model.newest
        assert self.run(self.stores[who].delete(scope, key)) is was_there
        if was_there:
            last = self.run(self.stores[who].history(scope, key))[-1]
            assert (last.op, last.value, last.seq) == ("delete", None, model.seq + 1)
            model.add(last)

    @rule(who=stores_, scope=scopes, key=keys)
    def get(self, who: int, scope: str, key: str) -> None:
        assert self.run(self.stores[who].get(scope, key)) == self.of(scope).newest.get(key)

    @rule(who=stores_, scope=scopes, key=keys)
    def past(self, who: int, scope: str, key: str) -> None:
        found = self.run(self.stores[who].history(scope, key))
        assert found == [entry for entry in self.of(scope).writes if entry.key == key]

    @rule(who=stores_, scope=scopes)
    def dump(self, who: int, scope: str) -> None:
        model = self.of(scope)
        assert self.run(self.stores[who].dump(scope)) == (model.seq, model.writes)

    @rule(who=stores_, source=scopes, scope=scopes)
    def load(self, who: int, source: str, scope: str) -> None:
        """A scope takes the place of another, or of itself."""
        _, entries = self.run(self.stores[who].dump(source))
        entries = moved(entries, scope)
        self.run(self.stores[1 - who].load(scope, entries))
        self.model[scope] = Model()
        for entry in entries:
            self.of(scope).add(entry)

    @rule(who=stores_, scope=scopes, after=st.integers(0, 30))
    def notice(self, who: int, scope: str, after: int) -> None:
        """A store may tell what has changed; then it tells the truth."""
        store, model = self.stores[who], self.of(scope)
        if not hasattr(store, "marks"):
            return
        newest = list(model.newest.values())
        assert self.run(store.state(scope)) == (model.seq, len(newest))
        assert sorted(self.run(store.keys(scope))) == sorted(model.newest)

        async def newer() -> list[Entry]:
            return [entry async for entries in store.newer(scope, after) for entry in entries]

        assert self.run(newer()) == [entry for entry in newest if entry.seq > after]
        assert self.run(store.marks("absent:S-1")) == {}
        owner = scope[: scope.index(":") + 1]
        if owner != "shared:":
            assert self.run(store.marks(owner)).get(scope) == self.run(store.marks(scope)).get(
                scope
            )
        marks = self.run(store.marks(scope))
        assert set(marks) <= {scope}
        if scope in marks:
            assert self.marked.setdefault((scope, marks[scope]), newest) == newest

    @rule(who=stores_, scope=scopes, name=st.text(max_size=30), data=st.data())
    def hostile(self, who: int, scope: str, name: str, data: st.DataObject) -> None:
        """Names that may not be are refused by every method alike, and change nothing."""
        store = self.stores[who]
        if data.draw(st.booleans()):
            name = data.draw(
                st.sampled_from(["*", "#seq", "a:b", "../k", "k\n", "", "é", "k" * 201])
            )
        bad_scope = data.draw(
            st.sampled_from([name, f"{scope}:{name}", f"a:{name}*", f"{name}*:S"])
        )
        for call in (
            store.get(scope, f"{name}*"),
            store.put(scope, f"*{name}", 1),
            store.delete(scope, f"{name}:"),
            store.history(scope, f"{name}\x00"),
            store.put(bad_scope + "*", "k", 1),
            store.get(bad_scope + "?", "k"),
            store.entries(bad_scope + "["),
            store.dump(bad_scope + "\n"),
            store.load(bad_scope + "*", []),
            store.put(scope, "k", 1, category=name + "?"),
        ):
            with pytest.raises(InvalidName):
                self.run(call)

    @rule(who=stores_)
    def reopen(self, who: int) -> None:
        self.run(self.stores[who].close())
        self.stores[who] = type(self).open()

    @rule(who=stores_)
    def reachable(self, who: int) -> None:
        self.run(self.stores[who].check())

    @invariant()
    def entries(self) -> None:
        for scope, model in self.model.items():
            for store in self.stores:
                assert self.run(store.entries(scope)) == list(model.newest.values())[::-1]

    @invariant()
    def all_scopes(self) -> None:
        held = sorted(scope for scope, model in self.model.items() if model.writes)
        for store in self.stores if self.model else ():
            assert self.run(store.scopes()) == held

    def teardown(self) -> None:
        for store in getattr(self, "stores", ()):
            self.run(store.close())
        self.loop.close()
