"""`/docs`: the OpenAPI document as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from shlex import quote
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from .openapi import document
from .service import service_of

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6577; --line: #dde2ea;
  --page: #fff; --card: #f6f8fb; --get: #1f6feb; --post: #1a7f37; --put: #9a6700;
  --delete: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #2c3442;
  --page: #12161d; --card: #1a202a; --get: #58a6ff; --post: #3fb950; --put: #d29922;
  --delete: #ff7b72; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 5rem; color: var(--ink);
  background: var(--page); font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem } h2 { margin: 2.5rem 0 .2rem; font-size: 1.15rem;
  text-transform: capitalize } h4 { margin: 1.1rem 0 .3rem; font-size: .85rem; color: var(--soft) }
p { margin: .3rem 0 } .soft { color: var(--soft) } a { color: var(--get) }
details { margin: .5rem 0; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card) }
summary { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline;
  padding: .55rem .8rem; cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none }
summary::before { content: "\\25b8"; width: .8rem; color: var(--soft) }
details[open] > summary::before { content: "\\25be" }
summary:hover .path { text-decoration: underline }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0 }
dt { color: var(--soft) } dd { margin: 0 }
details > div { padding: 0 .8rem .9rem; border-top: 1px solid var(--line) }
code, pre, .path { font: .88rem/1.5 ui-monospace, SFMono-Regular, Menlo, monospace }
pre { margin: .3rem 0; padding: .7rem; overflow-x: auto; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--page) }
.verb { min-width: 4.2rem; font: 700 .78rem ui-monospace, Menlo, monospace;
  text-transform: uppercase } .get { color: var(--get) } .post { color: var(--post) }
.put { color: var(--put) } .delete { color: var(--delete) }
table { width: 100%; border-collapse: collapse; font-size: .9rem }
td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td:first-child { white-space: nowrap; font-weight: 600 }
"""

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The documentation as a page."""
    service = service_of(request)
    names = {"Agents": sorted(service.agents), "Flows": list(service.flows)}
    address = str(request.base_url).rstrip("/")
    return HTMLResponse(page(document(request.app), names, address), headers=_HEADERS)


def page(schema: Mapping[str, Any], names: Mapping[str, Iterable[str]], address: str) -> str:
    """The whole page; every text of the document, of `names` and of `address` is escaped.

    `names` are what this service has, by kind; requests to try go to `address`.
    """
    info = schema["info"]
    title = escape(info["title"])
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{title} <span class="soft">{escape(info["version"])}</span></h1>',
        f'<p class="soft">{_text(info.get("description", ""))}</p>',
        f"<dl>{''.join(_names(kind, of_it) for kind, of_it in names.items())}</dl>",
        '<p>The same for programs: <a href="openapi.json">openapi.json</a></p>',
    ]
    for tag in schema["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>")
        parts.append(f'<p class="soft">{_text(tag["description"])}</p>')
        parts.extend(_operations(schema, tag["name"], address))
    return "".join([*parts, "</body></html>\n"])


def _names(kind: str, names: Iterable[str]) -> str:
    shown = ", ".join(f"<code>{escape(name)}</code>" for name in names) or "none"
    return f"<dt>{escape(kind)}</dt><dd>{shown}</dd>"


def _text(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _operations(schema: Mapping[str, Any], tag: str, address: str) -> Iterable[str]:
    for path, operations in schema["paths"].items():
        for verb, operation in operations.items():
            if tag in operation["tags"]:
                yield _operation(schema, path, verb, operation, address)


def _operation(
    schema: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any], address: str
) -> str:
    text = operation.get("description") or operation["summary"]
    body = operation.get("requestBody")
    return "".join(
        [
            f'<details id="{escape(operation["operationId"])}"><summary>',
            f'<span class="verb {escape(verb)}">{escape(verb)}</span>',
            f'<span class="path">{escape(path)}</span>',
            f'<span class="soft">{_text(text.splitlines()[0])}</span></summary><div>',
            _parameters(operation.get("parameters", ())),
            _body(schema, body) if body else "",
            _answers(schema, operation["responses"]),
            f"<h4>Try it</h4><pre>{escape(_curl(schema, path, verb, operation, address))}</pre>",
            "</div></details>",
        ]
    )


def _curl(
    schema: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any], address: str
) -> str:
    """The request as a command; `{id}` and its like are left to be filled in."""
    words = ["curl", *(["-X", verb.upper()] if verb not in ("get", "post") else [])]
    words.append(quote(address + path))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        model = _resolve(schema, content.get("schema", {}))
        examples = [*model.get("examples", ()), *_example(content), "…"]
        sent = examples[0] if isinstance(examples[0], str) else json.dumps(examples[0])
        words += ["-H", quote(f"content-type: {kind}"), "--data-binary", quote(sent)]
        break
    return " ".join(words)


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = [(item["name"], _joined(item["in"], item.get("description", ""))) for item in parameters]
    return _table("Parameters", rows)


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _body(schema: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    parts = []
    for kind, content in body["content"].items():
        model = _resolve(schema, content.get("schema", {}))
        parts.append(_table(f"Body: {kind}", _fields(model)))
        examples = [*model.get("examples", ()), *_example(content)]
        parts.extend(f"<pre>{escape(_shown(example))}</pre>" for example in examples)
    return "".join(parts)


def _answers(schema: Mapping[str, Any], responses: Mapping[str, Any]) -> str:
    rows = [
        (status, _joined(response["description"], ", ".join(response.get("content", ()))))
        for status, response in responses.items()
    ]
    fields = []
    for kind, content in responses.get("200", {}).get("content", {}).items():
        fields.append(_table(f"Answer: {kind}", _fields(_resolve(schema, content["schema"]))))
    return _table("Answers", rows) + "".join(fields)


def _fields(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    required = model.get("required", ())
    return [
        (
            name + ("" if name in required else "?"),
            _joined(_kind(field), field.get("description", "")),
        )
        for name, field in model.get("properties", {}).items()
    ]


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _resolve(schema: Mapping[str, Any], model: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in model:
        return model
    name = str(model["$ref"]).rsplit("/", 1)[-1]
    found: Mapping[str, Any] = schema["components"]["schemas"][name]
    return found


def _example(content: Mapping[str, Any]) -> Iterable[Any]:
    return (content["example"],) if "example" in content else ()


def _shown(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2)


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td>{escape(left)}</td><td>{_text(right)}</td></tr>" for left, right in rows
    )
    return f"<h4>{escape(title)}</h4><table>{cells}</table>" if cells else ""
