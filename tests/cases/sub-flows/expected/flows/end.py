# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..runtime.subflow import Subflow
from . import build as build_flow


def build() -> AsyncFlow:
    editor = Subflow("editor", build_flow.build)

    return AsyncFlow(start=editor)
