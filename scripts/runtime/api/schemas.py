"""What the answers look like, for the OpenAPI document only: no start imports this."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class FieldProblem(BaseModel):
    """One field that does not fit."""

    field: str
    message: str
    code: str


class ProblemDetails(BaseModel):
    """RFC 9457, with a stable `code` for programs."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[FieldProblem] | None = None
    changed: list[str] | None = None


class RunFault(BaseModel):
    """Why a run ended with an error."""

    code: str
    message: str
    step: str | None
    attempts: int
    retryable: bool


class RunUsage(BaseModel):
    """What the models reported, summed up."""

    model_config = ConfigDict(extra="allow")

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    calls: int
    cost_usd: float | None
    providers: list[str]


class PendingGate(BaseModel):
    """A person is asked; `actions` are what can be chosen, `visit` counts how often, from 1."""

    gate: str
    question: str
    actions: list[str]
    visit: int


class RunAnswer(BaseModel):
    """The end of a run: `status` is success, pending or error."""

    run_id: str
    status: str
    results: dict[str, JsonValue]
    pending_docs: list[str]
    pending_gates: list[PendingGate]
    error: RunFault | None
    skipped: list[str]
    usage: RunUsage
    duration_ms: float


class DocumentEntry(BaseModel):
    """A document without its text; `etag` is null where it cannot be read."""

    id: str
    etag: str | None
    created_at: str
    updated_at: str
    size: int


class DocumentList(BaseModel):
    """A page of documents, by id; `next` is the cursor of the page behind it, if there is one."""

    documents: list[DocumentEntry]
    next: str | None


class Author(BaseModel):
    """Who wrote it: `kind` is agent, client, disk (changed beside the service) or unknown."""

    kind: str
    agent: str | None = None
    step: str | None = None
    run_id: str | None = None
    prompt: str | None = Field(None, description="SHA-256 of the agent's prompt.")
    client: str | None = Field(None, description="The name of its key.")


class RevisionEntry(BaseModel):
    """One state that a document was in."""

    rev: int
    etag: str
    time: str
    size: int
    author: Author


class RevisionList(BaseModel):
    """The kept revisions, newest first."""

    id: str
    revisions: list[RevisionEntry]


class DocumentDiff(BaseModel):
    """A unified diff that leads from one revision to the other; 0 is the empty document."""

    id: str
    since: int = Field(alias="from")
    to: int
    diff: str


class Success(BaseModel):
    """It was done."""

    success: bool


class Existence(BaseModel):
    """Whether it is there."""

    exists: bool


class Write(BaseModel):
    """One write of a key."""

    value: JsonValue
    timestamp: str
    seq: int
    op: str
    category: str | None = None


class MemoryEntry(BaseModel):
    """A key's newest value; `history` (all writes, oldest first) only when asked for."""

    key: str
    value: JsonValue
    scope: str
    timestamp: str
    seq: int
    category: str | None = None
    history: list[Write] | None = None


class MemoryScope(BaseModel):
    """The newest value of each key, newest first."""

    entries: list[MemoryEntry]


class FoundEntry(BaseModel):
    """An entry that fits; a higher `score` fits better."""

    key: str
    value: JsonValue
    scope: str
    timestamp: str
    seq: int
    score: float
    category: str | None = None


class MemoryContext(BaseModel):
    """What fits a question, the best first."""

    entries: list[FoundEntry]


class Written(BaseModel):
    """Where a value was kept."""

    success: bool
    key: str
    scope: str
    timestamp: str
    seq: int


class AgentInfo(BaseModel):
    """An agent as its author described it; the prompt is not part of it."""

    id: str
    description: str
    tools: list[str]
    memory_scope: str
    memory_recall: int
    wait_for_docs: list[str]
    wait_for_agents: list[str]
    commands: list[str]
    creates: str | None
    actions: list[str]


class AgentList(BaseModel):
    """All agents, by id."""

    agents: list[AgentInfo]


class Readiness(BaseModel):
    """Whether an agent can be run now; `reason` says why not."""

    ready: bool
    last_execution: str | None
    reason: str | None = None


class FlowInfo(BaseModel):
    """A flow; `steps` in their order in the source."""

    name: str
    description: str
    on_missing_doc: str
    steps: list[str]


class FlowList(BaseModel):
    """All flows, in their order in the source."""

    flows: list[FlowInfo]


class GraphStep(BaseModel):
    """One step of a graph; `group` names the group that it runs in."""

    id: str
    kind: str
    agent: str | None
    group: str | int | None
    requires: list[str]
    creates: str | None
    actions: list[str]


class GraphEdge(BaseModel):
    """What follows what, by step id; a flow begins at `start` and ends at `end`."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    action: str | None


class FlowGraph(BaseModel):
    """A flow's graph, as the compiler wrote it."""

    flow: str
    steps: list[GraphStep]
    edges: list[GraphEdge]


class ModelHealth(BaseModel):
    """Which model answers; `mock` is true for the offline one."""

    provider: str
    model: str
    mock: bool


class MemoryHealth(BaseModel):
    """Which store keeps memory, whether it can be used now, and how many files are damaged."""

    backend: str
    reachable: bool
    damaged_files: int


class Health(BaseModel):
    """`status` is ok, degraded (see `memory`), starting or stopping; `uptime` is in seconds."""

    status: str
    version: str
    uptime: float
    flows: int
    agents: int
    llm: ModelHealth
    memory: MemoryHealth


class Probe(BaseModel):
    """ok, or why not."""

    status: str
    reason: str | None = None


ALL = (
    FieldProblem,
    ProblemDetails,
    RunFault,
    RunUsage,
    RunAnswer,
    DocumentEntry,
    DocumentList,
    Author,
    RevisionEntry,
    RevisionList,
    DocumentDiff,
    Success,
    Existence,
    Write,
    MemoryEntry,
    MemoryScope,
    FoundEntry,
    MemoryContext,
    Written,
    AgentInfo,
    AgentList,
    Readiness,
    FlowInfo,
    FlowList,
    GraphStep,
    GraphEdge,
    FlowGraph,
    ModelHealth,
    MemoryHealth,
    Health,
    Probe,
)
