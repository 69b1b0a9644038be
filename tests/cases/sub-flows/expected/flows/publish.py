# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Editor
from ..runtime.subflow import Subflow
from . import build as build_flow


def build() -> AsyncFlow:
    editor = Editor()
    build_ = Subflow("build", build_flow.build)

    editor >> build_

    return AsyncFlow(start=editor)
