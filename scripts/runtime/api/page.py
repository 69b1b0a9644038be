"""A document as a page for people: Markdown becomes HTML that can do nothing but be read.

Documents are written by models and by strangers. So what comes out is cleaned by an allow-list,
the page's policy lets nothing run and nothing load from elsewhere, and a picture from elsewhere
is a link: to show it would tell its server who reads, and whatever the address was made to say.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ..stores.protocol import DocumentInfo

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MAX_RENDERED: Final = 256 * 1024  # characters; what is longer is shown as plain text
MAX_RAW: Final = 2_000  # `<` up to which HTML in the text is read: nested deep it takes minutes
_SHORT: Final = 4_000  # characters that take no longer than a thread would
_SCHEMES: Final = {"http", "https", "mailto"}
_TAGS: Final = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt"),
    *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "mark", "ol"),
    *("p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "ul", "var"),
}
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
    "details": {"open"},
}
_PICTURE: Final = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,[A-Za-z0-9+/=]*")
_FRONT: Final = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_ALIGN: Final = re.compile(r"text-align:(left|right|center)")
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6577; --line: #dde2ea;
  --page: #fff; --card: #f6f8fb; --link: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #2c3442;
  --page: #12161d; --card: #1a202a; --link: #6cb0ff; } }
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--page);
  font: 1.02rem/1.62 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { max-width: 46rem; margin: 0 auto; padding: 0 1.25rem; overflow-wrap: break-word }
header { display: flex; flex-wrap: wrap; gap: .2rem 1rem; justify-content: space-between;
  padding-top: 1.1rem; padding-bottom: .6rem; border-bottom: 1px solid var(--line);
  color: var(--soft); font-size: .85rem }
main { padding-top: 1.4rem; padding-bottom: 5rem } main > :first-child { margin-top: 0 }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.8em 0 .5em; font-weight: 650 }
h1 { font-size: 1.9rem; margin-top: 1.1em } h2 { font-size: 1.4rem; padding-bottom: .25em;
  border-bottom: 1px solid var(--line) } h3 { font-size: 1.15rem } h4, h5, h6 { font-size: 1rem }
p, ul, ol, dl, blockquote, pre, table, details { margin: 0 0 1em }
ul, ol { padding-left: 1.6em } li { margin: .2em 0 } li > p { margin-bottom: .4em }
a { color: var(--link) }
code, kbd, samp, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .88em }
code, kbd { padding: .12em .35em; border-radius: .3em; background: var(--card) }
pre { padding: .8rem 1rem; overflow-x: auto; line-height: 1.5; border: 1px solid var(--line);
  border-radius: .5rem; background: var(--card) }
pre code { padding: 0; background: none; font-size: 1em }
pre.plain { white-space: pre-wrap }
pre.front { color: var(--soft) }
blockquote > :last-child { margin-bottom: 0 }
blockquote { padding: .3em 1em; color: var(--soft); border-left: .25em solid var(--line) }
table { display: block; overflow-x: auto; border-collapse: collapse }
th, td { padding: .4em .8em; border: 1px solid var(--line); text-align: left; vertical-align: top }
th { background: var(--card) }
td[align=right], th[align=right] { text-align: right }
td[align=center], th[align=center] { text-align: center }
img { max-width: 100% } hr { border: 0; border-top: 1px solid var(--line); margin: 2em 0 }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
}


async def rendered(info: DocumentInfo, text: str) -> bytes:
    """The page; a text that takes long is turned to HTML beside the loop, one at a time."""
    if len(text) <= _SHORT:
        return page(info, text).encode()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_renderer(), lambda: page(info, text).encode())


@cache
def _renderer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "pages")


def page(info: DocumentInfo, text: str) -> str:
    """The whole page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(info.id)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><span>{escape(info.id)}.md</span><span>{escape(info.updated_at)}</span></header>\n"
        f"<main>\n{body(text)}</main>\n</body>\n</html>\n"
    )


def body(text: str) -> str:
    """The document's text as clean HTML; its front-matter stands above it as it is."""
    front = _FRONT.match(text)
    shown = f'<pre class="front">{escape(front[0].strip())}</pre>\n' if front else ""
    rest = text[front.end() :] if front else text
    if len(rest) > MAX_RENDERED:
        return f'{shown}<pre class="plain">{escape(rest)}</pre>\n'
    return shown + _cleaned(_markdown(rest.count("<") <= MAX_RAW).render(rest))


def _cleaned(html: str) -> str:
    import nh3  # with the first page that someone looks at

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=_SCHEMES | {"data"},
        link_rel="noopener noreferrer nofollow",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if _PICTURE.fullmatch(value) else None
    if name == "href" and value.strip().lower().startswith("data:"):
        return None
    return value


@cache
def _markdown(raw: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": raw}).enable(["table", "strikethrough"])
    reader.add_render_rule("image", _image)
    for cell in ("th_open", "td_open"):
        reader.add_render_rule(cell, _cell)
    return reader


def _image(self: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
    """A picture that the document carries in itself, or a link to one that lies elsewhere."""
    token = tokens[place]
    source = str(token.attrs.get("src", ""))
    alt = self.renderInlineAsText(token.children or [], options, env)
    if _PICTURE.fullmatch(source):
        return f'<img src="{escape(source)}" alt="{escape(alt)}">'
    return f'<a href="{escape(source)}">{escape(alt or source)}</a>'


def _cell(self: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
    """The alignment as an attribute, since no styles are let through."""
    token = tokens[place]
    found = _ALIGN.search(str(token.attrs.get("style", "")))
    return f'<{token.tag} align="{found[1]}">' if found else f"<{token.tag}>"
