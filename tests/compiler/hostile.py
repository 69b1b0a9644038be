"""Texts that have broken generators: each must come through as it is."""

from __future__ import annotations

from hypothesis import strategies as st

FIXED = (
    "",
    "\n",
    " ",
    "plain",
    "plain\n",
    '"',
    '""',
    '"""',
    '""""',
    'ends with a quote"',
    'ends with three"""',
    'a"""b""""c"\n',
    "'''",
    "\\",
    "ends with a backslash\\",
    '\\"',
    '\\"""',
    "\\\\",
    "\\n is not a line",
    "\\N{BULLET} \\x41 \\u0041 \\U00000041 \\101",
    "{{7*7}} {% raw %} {# no #} ${x} %s {x.__class__}",
    "carriage\rreturn",
    "windows\r\nlines\r\n",
    "\r",
    "\n\r",
    "tab\tand\ttab",
    "form\ffeed\vand\x1c\x1d\x1e\x85",
    "line\u2028and\u2029paragraph",
    "\ufeffmark",
    "right\u202eto left\u2066 \u200b hidden \U000e0041",
    "emoji 👩‍👩‍👧 ünïcödé 漢字 かな \u3000 \xa0",
    "lone \x7f \x80 \x9f",
    "trailing spaces  \nand tabs\t\n  \n",
    "\n\n\nblank lines\n\n\n",
    "# coding: latin-1\n",
    '"""\nimport os\nos.system("true")\n"""',
    "\\\n continued\\\n",
    "\ud800 \udfff",
    "no final newline",
    "\uffff \ufff9 \U0010ffff",
)

_CHARACTERS = st.one_of(
    st.sampled_from("\"'\\\n\r\t\f {}%#$NUux0a\u2028\u3000\xa0\ufeff"),
    st.characters(exclude_categories=()),
)
TEXTS = st.one_of(st.sampled_from(FIXED), st.text(_CHARACTERS, max_size=60))
"""Any string at all, rich in what is special to Python."""

LINES = TEXTS.map(lambda text: " ".join(text.split())).filter(bool)
"""What a description can be: one line, stripped."""
