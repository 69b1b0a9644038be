"""What fits a question: ranked, of the right scopes only, whatever happened to the index."""

from __future__ import annotations

import asyncio
import math
import random
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.runtime.errors import StoreError
from scripts.runtime.recall.indexes import Found, Recall
from scripts.runtime.recall.words import words_of
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry, MemoryStore
from tests.faults.disk import file_size_limit
from tests.redis_server import redis_server

T = TypeVar("T")

STORY = "analyst:S-1"
TEXTS = {
    "fox": "The red fox jumps over the lazy dog",
    "whale": "A blue whale sings, and the fox listens; the sea is calm",
    "plan": {"steps": ["paint the boat red", "sail"], "days": 12},
    "müsli": "Überraschung für alle: café au lait",
}


def with_recall(
    folder: Path, use: Callable[[Recall, FileMemory], Awaitable[T]], make: type[Recall] = Recall
) -> T:
    """What `use` gives, with a memory of its own and an index that may be there already."""

    async def main() -> T:
        memory = FileMemory(folder)
        recall = make(memory, folder / ".index")
        try:
            return await use(recall, memory)
        finally:
            await recall.close()
            await memory.close()

    return asyncio.run(main())


def fill(folder: Path, values: dict[str, Any], scope: str = STORY) -> None:
    async def write(_: Recall, memory: FileMemory) -> None:
        for key, value in values.items():
            await memory.put(scope, key.replace("ü", "u"), value)

    with_recall(folder, write)


def ask(folder: Path, question: str, *names: str, **options: Any) -> list[Found]:
    async def find(recall: Recall, _: MemoryStore) -> list[Found]:
        return await recall.find(names or (STORY,), question, **{"limit": 10, **options})

    return with_recall(folder, find)


def keys(found: Iterable[Found]) -> list[str]:
    return [each.entry.key for each in found]


def test_the_best_comes_first_with_the_value_of_the_store(tmp_path: Path) -> None:
    fill(tmp_path, TEXTS)
    found = ask(tmp_path, "the red fox")
    assert keys(found) == ["fox", "plan", "whale"]
    assert found[0].entry.value == TEXTS["fox"]
    assert found[0].entry.scope == STORY
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_all_of_a_value_and_its_key_can_be_found(tmp_path: Path) -> None:
    fill(tmp_path, TEXTS)
    assert keys(ask(tmp_path, "boat")) == ["plan"]  # in a list in an object
    assert keys(ask(tmp_path, "days")) == ["plan"]  # a key of the object
    assert keys(ask(tmp_path, "12")) == ["plan"]
    assert keys(ask(tmp_path, "plan")) == ["plan"]  # the entry's own key
    assert keys(ask(tmp_path, "UBERRASCHUNG cafe")) == ["musli"]


def test_the_score_is_bm25(tmp_path: Path) -> None:
    texts = {"a": "red red fox", "b": "red dog and a cat", "c": "nothing at all", "d": "x"}
    fill(tmp_path, texts)
    sizes = {key: len(text.split()) + 1 for key, text in texts.items()}
    average = sum(sizes.values()) / len(sizes)

    def part(times: int, key: str, holders: int) -> float:
        weight = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        return weight * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * sizes[key] / average))

    found = {each.entry.key: each.score for each in ask(tmp_path, "red fox")}
    assert found == {
        "a": pytest.approx(part(2, "a", 2) + part(1, "a", 1)),
        "b": pytest.approx(part(1, "b", 2)),
    }


def test_of_equals_the_newest_comes_first(tmp_path: Path) -> None:
    fill(tmp_path, {"one": "same words", "two": "same words", "three": "same words"})
    assert keys(ask(tmp_path, "words", limit=2)) == ["three", "two"]


def test_a_word_that_nearly_all_hold_decides_nothing_but_is_found_alone(tmp_path: Path) -> None:
    fill(tmp_path, {f"k{n}": f"the note {n}" for n in range(40)})
    assert keys(ask(tmp_path, "the 7")) == ["k7"]
    assert len(ask(tmp_path, "the", limit=50)) == 40


@given(
    st.text(max_size=60) | st.sampled_from(['"', "NEAR(a b)", "a* OR", "key:x", "-a", "\0", "^"])
)
@settings(max_examples=150, deadline=None)
def test_a_question_is_words_and_never_a_language(question: str) -> None:
    words = words_of(question)
    assert all(word and '"' not in word for word in words)


def test_no_question_is_a_syntax_error(tmp_path: Path) -> None:
    fill(tmp_path, TEXTS)
    for question in (
        '"',
        '"fox',
        "NEAR(fox whale",
        "key : fox",
        "fox*",
        "fox AND",
        "{a}:",
        "\ud800",
    ):
        assert ("fox" in keys(ask(tmp_path, question))) == ("fox" in question)


def test_writes_of_other_processes_are_seen(tmp_path: Path) -> None:
    async def both(recall: Recall, _: FileMemory) -> list[list[str]]:
        other = FileMemory(tmp_path)
        seen = [keys(await recall.find([STORY], "fox", limit=9))]
        await other.put(STORY, "new", "a fox")
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        await other.put(STORY, "new", "a dog")
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        await other.put(STORY, "new", "the fox")
        await other.delete(STORY, "new")
        await other.put(STORY, "last", "fox")
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        await other.close()
        return seen

    assert with_recall(tmp_path, both) == [[], ["new"], [], ["last"]]


def test_two_processes_share_an_index(tmp_path: Path) -> None:
    async def both(one: Recall, memory: FileMemory) -> None:
        two = Recall(memory, tmp_path / ".index")
        for number in range(6):
            await memory.put(STORY, f"k{number}", "fox")
            if number % 2:
                await memory.delete(STORY, f"k{number - 1}")
            for recall in (one, two) if number % 3 else (two, one):
                wanted = sorted(entry.key for entry in await memory.entries(STORY))
                assert sorted(keys(await recall.find([STORY], "fox", limit=9))) == wanted
        await two.close()

    with_recall(tmp_path, both)


def test_categories_narrow_the_answer(tmp_path: Path) -> None:
    async def use(recall: Recall, memory: FileMemory) -> list[list[str]]:
        await memory.put(STORY, "a", "fox", category="error_pattern")
        await memory.put(STORY, "b", "fox", category="quality_insight")
        await memory.put(STORY, "c", "fox")
        chosen: Sequence[Sequence[str]] = (
            ["error_pattern"],
            ["quality_insight", "error_pattern"],
            [],
        )
        return [
            sorted(keys(await recall.find([STORY], "fox", limit=9, categories=each)))
            for each in chosen
        ]

    assert with_recall(tmp_path, use) == [["a"], ["a", "b"], ["a", "b", "c"]]


NOTES = {f"k{n}": f"a long note on foxes number {n} " * 20 for n in range(80)}
QUESTION = "red fox number 7"
PARTS = 12  # of a file, each of which is written over once


def asked(folder: Path, make: type[Recall]) -> list[str] | Exception:
    """The keys that are found, or the fault."""

    async def find(recall: Recall, _: MemoryStore) -> list[Found]:
        return await recall.find([STORY], QUESTION, limit=10)

    try:
        return keys(with_recall(folder, find, make))
    except Exception as fault:  # noqa: BLE001 - no fault may cost the answer
        return fault


def damages(whole: bytes) -> Iterator[bytes]:
    """What may become of an index's file."""
    yield from (b"", b"no database at all", whole[: len(whole) // 2])
    step = len(whole) // PARTS
    for at in range(0, len(whole), step):
        yield whole[:at] + b"\xff" * step + whole[at + step :]


def costs(folder: Path, make: type[Recall]) -> list[str]:
    """Which faults of the index, and of the disk that it is on, have cost an answer."""
    fill(folder, {**TEXTS, **NOTES})
    index = folder / ".index"
    wanted = asked(folder, Recall)
    (path,) = index.glob("*.sqlite")
    whole, told = path.read_bytes(), []

    def judge(fault: str, size: int | None = None) -> None:
        with nullcontext() if size is None else file_size_limit(size):
            found = asked(folder, make)
        if found != wanted:
            told.append(f"{fault}: {found!r:.200}")

    for number, damage in enumerate(damages(whole)):
        shutil.rmtree(index, ignore_errors=True)
        index.mkdir()
        path.write_bytes(damage)
        judge(f"damage {number}")
    for size in (0, 5_000, 40_000):
        shutil.rmtree(index)
        judge(f"a disk with room for {size} bytes", size)
        judge("what that has left behind")
    shutil.rmtree(index)
    judge("it was deleted")
    shutil.rmtree(index)
    index.write_text("in the way")
    judge("no folder")
    return told


def test_the_index_costs_no_answer(tmp_path: Path) -> None:
    """Damaged, deleted, without room or without a place: it is made again, or done without."""
    assert costs(tmp_path, Recall) == []


class Brittle(Recall):
    """Planted: an index that is no good is not made again."""

    async def _start_over(self, held: Any, is_damaged: bool) -> None:
        raise StoreError(f"the index of {held.name} is no good", store="memory")


class Silent(Brittle):
    """Planted: where the index is no good nothing is found."""

    async def find(self, names: Sequence[str], question: str, **options: Any) -> list[Found]:
        try:
            return await super().find(names, question, **options)
        except StoreError:
            return []


class Trusting(Recall):
    """Planted: a damaged file is made again, but in files only."""

    async def _start_over(self, held: Any, is_damaged: bool) -> None:
        if not is_damaged:
            raise StoreError("the index cannot be written", store="memory")
        await super()._start_over(held, is_damaged)


@pytest.mark.parametrize(
    ("make", "least"), [(Brittle, PARTS // 2), (Silent, PARTS // 2), (Trusting, 2)]
)
def test_a_recall_that_its_index_costs_an_answer_is_found_out(
    tmp_path: Path, make: type[Recall], least: int
) -> None:
    told = costs(tmp_path, make)
    assert len(told) >= least
    assert any(each.startswith("no folder") for each in told)


def test_an_index_of_another_store_is_made_again(tmp_path: Path) -> None:
    fill(tmp_path, {"a": "fox", "b": "whale"})
    assert keys(ask(tmp_path, "fox")) == ["a"]
    shutil.rmtree(tmp_path / "isolated")
    fill(tmp_path, {"a": "whale", "b": "fox"})
    assert keys(ask(tmp_path, "fox")) == ["b"]
    shutil.rmtree(tmp_path / "isolated")
    fill(tmp_path, {"c": "fox"})
    assert keys(ask(tmp_path, "fox")) == ["c"]


def test_a_store_that_was_set_back_is_followed(tmp_path: Path) -> None:
    """As a restore does: other writes have the numbers that were given already."""

    async def use(recall: Recall, memory: FileMemory) -> list[list[str]]:
        await memory.put(STORY, "a", "fox")
        await memory.put(STORY, "b", "whale")
        _, kept = await memory.dump(STORY)
        await memory.put(STORY, "a", "whale")
        await memory.put(STORY, "c", "fox")
        seen = [keys(await recall.find([STORY], "fox", limit=9))]
        await memory.load(STORY, kept)
        await memory.put(STORY, "d", "fox")
        await memory.put(STORY, "b", "fox")
        await memory.put(STORY, "b", "whale")
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        seen.append(keys(await recall.find([STORY], "whale", limit=9)))
        return seen

    assert with_recall(tmp_path, use) == [["c"], ["d", "a"], ["b"]]


def test_all_stories_of_an_agent_are_asked_as_one(tmp_path: Path) -> None:
    for story in range(5):
        fill(tmp_path, {"note": f"fox of story {story}"}, f"analyst:S-{story}")
    fill(tmp_path, {"note": "fox"}, "analyst-2:S-1")
    fill(tmp_path, {"note": "fox"}, "shared:analyst")
    found = ask(tmp_path, "fox", "analyst:")
    assert {each.entry.scope for each in found} == {f"analyst:S-{n}" for n in range(5)}
    assert [each.entry.scope for each in ask(tmp_path, "3", "analyst:")] == ["analyst:S-3"]
    (tmp_path / "isolated" / "analyst_S-3.jsonl").unlink()
    assert ask(tmp_path, "3", "analyst:") == []


class Plain:
    """A memory that tells nothing of what was written since, as a store of somebody's own."""

    backend = "own"

    def __init__(self, memory: FileMemory) -> None:
        self.get, self.entries, self.history = memory.get, memory.entries, memory.history
        self.put, self.delete, self.check = memory.put, memory.delete, memory.check
        self.scopes, self.dump, self.load = memory.scopes, memory.dump, memory.load
        self.close = memory.close


def test_a_store_that_tells_nothing_of_changes_is_read_whole(tmp_path: Path) -> None:
    async def main() -> list[list[str]]:
        memory = Plain(FileMemory(tmp_path))
        recall = Recall(memory, tmp_path / ".index")
        for number in range(3):
            await memory.put(STORY, f"k{number}", f"fox {number}")
        seen = [keys(await recall.find([STORY], "fox", limit=9))]
        await memory.put(STORY, "new", "fox")
        await memory.delete(STORY, "k1")
        await memory.put(STORY, "k0", "whale")
        seen.append(keys(await recall.find(["analyst:"], "fox", limit=9)))
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        await memory.load(STORY, [])
        seen.append(keys(await recall.find([STORY], "fox", limit=9)))
        await recall.close()
        await memory.close()
        return seen

    assert asyncio.run(main()) == [["k2", "k1", "k0"], ["new", "k2"], ["new", "k2"], []]


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    async def use(recall: Recall, memory: FileMemory) -> list[list[str]]:
        await memory.put(STORY, "a", "fox")
        frozen = await recall.frozen([STORY])
        await memory.put(STORY, "b", "fox")
        await memory.put(STORY, "a", "whale")
        now = keys(await recall.find([STORY], "fox", limit=9))
        then = [hit.key for hit in await frozen.find([STORY], "fox", limit=9)]
        await frozen.close()
        return [now, then]

    assert with_recall(tmp_path, use) == [["b"], ["a"]]
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    (tmp_path / ".index").write_text("in the way")  # the same without a file
    assert with_recall(tmp_path, use) == [["b"], ["a"]]


WORDS = st.lists(st.sampled_from(["fox", "whale", "red", "sea"]), min_size=1, max_size=4)
SCOPES = st.sampled_from([STORY, "analyst:S-2", "critic:S-1", "shared:product", "shared:S-1"])
WRITES = st.lists(
    st.tuples(SCOPES, st.sampled_from("abcd"), WORDS.map(" ".join) | st.none(), st.booleans()),
    max_size=25,
)


@given(WRITES, SCOPES, WORDS)
@settings(max_examples=20, deadline=None)
def test_others_change_neither_what_is_found_nor_its_score(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[str, str, str | None, bool]],
    scope: str,
    question: list[str],
) -> None:
    """Asked in between or not, with others in the store or without, made at once or followed."""

    async def run(folder: Path, only: str | None, *, between: bool) -> list[tuple[str, float]]:
        memory = FileMemory(folder)
        recall = Recall(memory, folder / ".index")
        for where, key, value, looks in writes:
            if only in (None, where):
                await (memory.put(where, key, value) if value else memory.delete(where, key))
            if between and looks:
                await recall.find([where], "red whale", limit=3)
        found = await recall.find([scope], " ".join(question), limit=3)
        assert all(each.entry.scope == scope for each in found)
        await recall.close()
        await memory.close()
        return [(each.entry.key, round(each.score, 9)) for each in found]

    folders = (tmp_path_factory.mktemp("m") for _ in range(3))
    together = asyncio.run(run(next(folders), None, between=True))
    assert together == asyncio.run(run(next(folders), scope, between=False))
    assert together == asyncio.run(run(next(folders), scope, between=True))


def test_entries_are_those_of_the_store(tmp_path: Path) -> None:
    fill(tmp_path, TEXTS)

    async def use(recall: Recall, memory: FileMemory) -> tuple[Entry | None, Entry]:
        found = await recall.find([STORY], "whale", limit=1)
        return await memory.get(STORY, "whale"), found[0].entry

    there, given_back = with_recall(tmp_path, use)
    assert there == given_back


def test_redis_and_files_find_the_same(tmp_path: Path) -> None:
    """Through writes, deletions, a history that is too short, and a store that was set back."""
    from scripts.runtime.stores.redismemory import RedisMemory

    chance = random.Random(11)
    words = ["fox", "whale", "red", "sea", "sky"]

    async def main(memories: Sequence[MemoryStore]) -> None:
        recalls = [Recall(each, tmp_path / str(place)) for place, each in enumerate(memories)]
        saved: list[Entry] = []
        for round_ in range(12):
            if round_ == 7:
                for each in memories:
                    await each.load(STORY, saved)
            for _ in range(1_100 if round_ == 4 else chance.randrange(6)):
                key, text = chance.choice("abcdefgh"), " ".join(chance.choices(words, k=4))
                gone = chance.random() < 0.2
                for each in memories:
                    await (each.delete(STORY, key) if gone else each.put(STORY, key, text))
            if round_ == 3:
                _, saved = await memories[0].dump(STORY)
            name, question = (
                chance.choice([STORY, "analyst:"]),
                " ".join(chance.choices(words, k=2)),
            )
            found = [await each.find([name], question, limit=5) for each in recalls]
            told = [[(f.entry.key, f.entry.seq, round(f.score, 9)) for f in one] for one in found]
            assert told[0] == told[1], round_
        for recall in recalls:
            await recall.close()
        for each in memories:
            await each.close()

    with redis_server(tmp_path / "server") as server:
        asyncio.run(main([FileMemory(tmp_path / "files"), RedisMemory(server.settings())]))
