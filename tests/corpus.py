"""Real projects of others, where they are: beside the checkout, or where BMAD2PF_CORPUS says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.project import ROOT

CORPUS = Path(os.environ.get("BMAD2PF_CORPUS") or ROOT.parent / "shared" / "corpus")
PROJECTS = sorted(path.name for path in CORPUS.glob("*") if path.is_dir())


def project(name: str) -> Path:
    """The folder of one of them. Skips the test when it is not there."""
    if not (CORPUS / name).is_dir():
        pytest.skip("no corpus of agent files beside the checkout")
    return CORPUS / name
