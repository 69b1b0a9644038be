"""The native dialect's flows: `workflow.yaml` into Flow."""

from __future__ import annotations

from typing import Final, NamedTuple

from ...runtime import spec
from ...runtime.yamltext import Mapping, Node, Scalar, Sequence
from ..diagnostics import Diagnostics, quoted
from ..grouping import Entry, stages
from ..model import AgentStep, Flow
from .fields import ID_HINT, Fields
from .steps import read_step

FLOW_KEYS: Final = ("description", "on_missing_doc", "sequence")


class FlowFile(NamedTuple):
    """`path` for people, `name` for headers; `parallel` are the agents that say so."""

    path: str
    name: str
    parallel: frozenset[str]


def read_flows(file: FlowFile, root: Mapping, diagnostics: Diagnostics) -> list[Flow]:
    """The flows of one file, in file order."""
    fields = Fields(root, file.path, diagnostics)
    fields.check_keys(("flows",), (), "in a flow file")
    flows = fields.mapping("flows", "write the name of each flow as a key")
    if flows is None:
        return []
    read = (_read_flow(file, flows, key, value) for key, value in flows.node.entries)
    return [flow for flow in read if flow is not None]


def _read_flow(file: FlowFile, flows: Fields, key: Scalar, value: Node) -> Flow | None:
    if not spec.is_id(key.text):
        flows.add("BMAD111", key, f"{quoted(key.text)} cannot name a flow", ID_HINT)
    if not isinstance(value, Mapping):
        if isinstance(value, Scalar) and value.value is None:
            _report_empty(flows, key)
        else:
            flows.wrong_type(key.text, value, "a mapping", "write sequence: [...] below the name")
        return None
    fields = Fields(value, file.path, flows.diagnostics)
    fields.check_keys(FLOW_KEYS, (), "in a flow")
    description = fields.line("description") or ""
    missing = fields.choice("on_missing_doc", spec.ON_MISSING_DOC)
    nodes = fields.items("sequence")
    written = fields.values.get("sequence")
    if not nodes and (written is None or isinstance(written, Sequence)):
        _report_empty(flows, key)
    entries = [entry for node in nodes for entry in _read_entries(file, fields, node)]
    at = flows.place(key)
    return Flow(key.text, stages(entries), description, missing, path=file.name, at=at)


def _report_empty(flows: Fields, key: Scalar) -> None:
    hint = "list its agents under sequence:"
    flows.add("BMAD301", key, f"the flow {quoted(key.text)} has no steps", hint)


def _read_entries(file: FlowFile, flow: Fields, node: Node) -> list[Entry]:
    if isinstance(node, Mapping):
        fields = Fields(node, file.path, flow.diagnostics)
        if "parallel" in fields.keys and "agent" not in fields.keys:
            return _read_group(fields)
    step = read_step(flow, node)
    if step is None:
        return []
    return [Entry(step, isinstance(step, AgentStep) and step.agent in file.parallel)]


def _read_group(fields: Fields) -> list[Entry]:
    fields.check_keys(("parallel",), (), "beside parallel")
    entries = []
    nodes = fields.items("parallel")
    for node in nodes:
        if isinstance(node, Mapping) and _stands_in_no_group(fields, node):
            continue
        step = read_step(fields, node)
        if step is not None:
            entries.append(Entry(step, beside=True))
    listed = fields.values.get("parallel")
    if not nodes and (listed is None or isinstance(listed, Sequence)):
        at = listed or fields.node
        fields.add("BMAD109", at, '"parallel" is empty', "list the agents of the group")
    return entries


def _stands_in_no_group(fields: Fields, node: Mapping) -> bool:
    for key, _ in node.entries:
        if key.text in ("parallel", "human", "flow"):
            hint = "put it before or after the group"
            fields.add("BMAD307", key, f'"{key.text}" cannot stand inside a group', hint)
            return True
    return False
