"""No scope has the key of another, whatever is in its name."""

from __future__ import annotations

import contextlib
import fnmatch
import string

from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.runtime.errors import InvalidName
from scripts.runtime.stores.rediskeys import Keys, encoded

from .hostile import names

PARTS = (
    st.text(max_size=20) | st.sampled_from(names()) | st.text("*?[]^\\:%#/_.-aA1\n\x00", max_size=9)
)
VALID = st.from_regex(r"(?:[a-z]{1,3}|memory|history):[A-Za-z0-9._-]{0,5}[a-z]", fullmatch=True)
PREFIXES = st.text(max_size=8) | st.sampled_from(
    ["", "x", "xmemory:", "memory:", "history:", "*", "[a]"]
)


@given(PARTS, PARTS, PARTS, PARTS)
def test_encoded_components_are_never_taken_for_one_another(a: str, b: str, c: str, d: str) -> None:
    assume(":" not in a and ":" not in c)  # a scope's first colon ends its first component
    one, two = encoded(f"{a}:{b}"), encoded(f"{c}:{d}")
    assert (one == two) is ((a, b) == (c, d))
    assert one.count(":") == 1
    assert not set(one) & set("*?[]\\^#/\n\x00 ")


@given(PREFIXES, VALID)
def test_a_key_leads_back_to_its_scope(prefix: str, scope: str) -> None:
    assume(not scope.startswith("shared"))
    try:
        place = Keys(prefix).of(scope)
    except InvalidName:
        return  # a story that may not be
    assert place.memory == f"{prefix}memory:{scope}"
    assert place.history == f"{prefix}history:{scope}"
    assert {Keys(prefix).scope(place.memory), Keys(prefix).scope(place.history)} == {scope}
    assert Keys(prefix).scope(place.building) is None


@given(PREFIXES, PREFIXES, VALID, VALID)
def test_no_prefix_reaches_the_keys_of_another(a: str, b: str, s: str, t: str) -> None:
    assume(a != b)
    try:
        one, two = Keys(a).of(s), Keys(b).of(t)
    except InvalidName:
        return
    assert not set(one) & set(two)
    assert Keys(a).scope(two.memory) is None
    assert Keys(a).scope(two.history) is None


def test_hostile_scopes_have_no_key() -> None:
    alphabet = set(string.ascii_letters + string.digits + "._-:")
    for scope in (*names(), *(f"analyst:{name}" for name in names())):
        with contextlib.suppress(InvalidName):
            assert Keys("p_").of(scope).memory == f"p_memory:{scope}"
            assert set(scope) <= alphabet


@given(PREFIXES)
def test_patterns_find_the_prefix_as_it_is(prefix: str) -> None:
    for pattern in Keys(prefix).patterns:
        literal = pattern.removesuffix("*").replace("\\", "")
        assume("\\" not in prefix)
        assert literal.startswith(prefix)
        plain = set(
            pattern.removesuffix("*").replace("\\*", "").replace("\\?", "").replace("\\[", "")
        )
        assert not plain & set("*?[")
    assert fnmatch.fnmatchcase("bmad_pf_memory:a:S-1", Keys("bmad_pf_").patterns[0])
