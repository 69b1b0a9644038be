"""As much work for the other generators as our project is for ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PROTO = """\
syntax = "proto3";

package part{number}.v1;

// What part {number} is asked.
message AskRequest {{
  string story_id = 1;
  string input = 2;
  repeated string documents = 3;
}}

// What part {number} answers.
message AskReply {{
  string text = 1;
  int64 tokens = 2;
  double cost = 3;
}}

service Part{number} {{
  rpc Ask(AskRequest) returns (AskReply);
  rpc Watch(AskRequest) returns (stream AskReply);
}}
"""


def write_protos(folder: Path, count: int) -> list[str]:
    """`count` files of two messages and two methods; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"part{number}.proto" for number in range(1, count + 1)]
    for number, name in enumerate(names, start=1):
        (folder / name).write_text(_PROTO.format(number=number), encoding="utf-8")
    return names


def write_openapi(path: Path, count: int) -> None:
    """One document with `count` schemas of six fields and a POST for each."""
    names = [f"Part{number}" for number in range(1, count + 1)]
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Parts", "version": "1.0.0"},
        "paths": {f"/{name.lower()}": {"post": _operation(name)} for name in names},
        "components": {"schemas": {name: _schema() for name in names}},
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _schema() -> dict[str, Any]:
    fields = {
        "story_id": {"type": "string"},
        "input": {"type": "string", "maxLength": 10000},
        "documents": {"type": "array", "items": {"type": "string"}},
        "tokens": {"type": "integer", "minimum": 0},
        "cost": {"type": "number"},
        "fresh": {"type": "boolean", "default": False},
    }
    return {"type": "object", "required": ["story_id", "input"], "properties": fields}


def _operation(name: str) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {
        "operationId": f"ask_{name.lower()}",
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "The answer.", "content": body}},
    }


def write_cookiecutter(folder: Path, count: int) -> None:
    """A template of `count` files of sixty lines."""
    inner = folder / "{{cookiecutter.slug}}"
    inner.mkdir(parents=True)
    (folder / "cookiecutter.json").write_text('{"slug": "parts", "owner": "team"}\n')
    for number in range(1, count + 1):
        text = _sixty_lines(number, "{{ cookiecutter.owner }}")
        (inner / f"part_{number}.py").write_text(text, encoding="utf-8")


def write_copier(folder: Path, count: int) -> None:
    """The same for copier."""
    folder.mkdir(parents=True)
    (folder / "copier.yml").write_text("owner:\n  type: str\n  default: team\n")
    for number in range(1, count + 1):
        text = _sixty_lines(number, "{{ owner }}")
        (folder / f"part_{number}.py.jinja").write_text(text, encoding="utf-8")


def _sixty_lines(number: int, owner: str) -> str:
    constants = (f'LINE_{i} = "part {number}, line {i}, of {owner}"\n' for i in range(58))
    return f'"""Part {number} of {owner}."""\n\n' + "".join(constants)
