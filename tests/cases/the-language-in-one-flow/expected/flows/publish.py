# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Editor


def build() -> AsyncFlow:
    editor = Editor()

    return AsyncFlow(start=editor)
