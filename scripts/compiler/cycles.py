"""Circles in a graph of names, without recursion."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

Edges = Mapping[str, Collection[str]]


def reachable(start: str, edges: Edges) -> set[str]:
    """Every name that a walk of one step or more from `start` comes to."""
    found: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges.get(name, ()))
    return found


def components(names: Iterable[str], edges: Edges) -> list[list[str]]:
    """The sets of names that all lead to each other, a single name with an edge to itself too."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in names:
        if root in index:
            continue
        walk = [(root, iter(edges.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while walk:
            name, followers = walk[-1]
            for other in followers:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    walk.append((other, iter(edges.get(other, ()))))
                    break
                if other in on_stack:
                    low[name] = min(low[name], index[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[name])
                if low[name] == index[name]:
                    members = _pop_through(name, stack)
                    on_stack.difference_update(members)
                    if len(members) > 1 or name in edges.get(name, ()):
                        found.append(sorted(members))
    return found


def _pop_through(name: str, stack: list[str]) -> list[str]:
    members = [stack.pop()]
    while members[-1] != name:
        members.append(stack.pop())
    return members


def circle(members: Collection[str], edges: Edges) -> list[str]:
    """A shortest way from the first of `members`, by code point, back to itself."""
    start = min(members)
    inside = set(members)
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for other in sorted(edges.get(name, ())):
            if other == start:
                return [*_way(start, name, came_from), start]
            if other in inside and other not in came_from:
                came_from[other] = name
                waiting.append(other)
    raise ValueError("the names do not lead back to the first")


def _way(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
