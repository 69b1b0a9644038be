"""`python -m generated` with options that it has not."""

from __future__ import annotations

import pytest

from scripts.runtime.command import MISUSE, main


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--port", "9000"], "there is no --port: set PORT, PORT=9000 python -m generated"),
        (["serve", "--port=9000"], "there is no --port: set PORT, PORT=9000 python -m generated"),
        (["--host"], "there is no --host: set HOST, HOST=… python -m generated"),
    ],
)
def test_what_other_servers_have_as_an_option_is_a_variable(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main("generated", typed)
    assert left.value.code == MISUSE
    assert capsys.readouterr().err == f"generated: {said}\n"
