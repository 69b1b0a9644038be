"""Objects of a class of the user's own, named in the settings as `package.module:Class`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from .errors import SettingsError


def make_own(path: str, settings: object, *, where: str) -> Any:
    """What the class at `path` makes of one section of the settings, named by `where`.

    Raises SettingsError when it cannot be imported, is no class, or raises.
    """
    module, _, name = path.partition(":")
    try:
        made = getattr(import_module(module), name)
    except ImportError as error:
        raise SettingsError(f"{module} cannot be imported: {error}", where=where) from None
    except AttributeError:
        raise SettingsError(f"{module} has no {name}", where=where) from None
    if not callable(made):
        raise SettingsError(f"{path} is no class", where=where)
    try:
        return made(settings)
    except Exception as error:
        # Its text may hold a secret: it stays the cause, for a traceback.
        section = where.partition(".")[0]
        message = f"{path} cannot be made with the {section} settings: {type(error).__name__}"
        raise SettingsError(message, where=where) from error


class Shape(NamedTuple):
    """What an object must have; `hint` says where that is explained."""

    texts: Sequence[str]
    methods: Sequence[str]
    others: Sequence[str]
    hint: str


def check_own(made: object, path: str, shape: Shape, *, where: str) -> None:
    """Raises SettingsError when `made`, of the class at `path`, lacks a member."""
    members = (*shape.texts, *shape.others, *shape.methods)
    missing = [name for name in members if not hasattr(made, name)]
    if missing:
        message = f"{path} has no {', '.join(missing)}"
        raise SettingsError(message, where=where, hint=shape.hint)
    for name in shape.texts:
        if not isinstance(getattr(made, name), str):
            raise SettingsError(f"{path}: {name} should be a text", where=where)
    for name in shape.methods:
        if not callable(getattr(made, name)):
            raise SettingsError(f"{path}: {name} should be a method", where=where)
