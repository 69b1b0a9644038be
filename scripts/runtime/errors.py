"""Everything that can go wrong while a service runs.

    BMADError
    ├── SettingsError            config/runtime.yaml or the environment cannot be used
    ├── ArchiveError             a backup cannot be used, or its file is there already
    ├── TreeError                the generated folder does not match its manifest
    ├── NotFound                 no such agent, flow, document or memory entry
    ├── InvalidName              an id that a client gave cannot name anything
    ├── DecisionError            a decision for a gate or with an action that there is not
    ├── Conflict                 the same thing is being done already, or has changed
    │   └── SourcesChanged       the sources of a run that could go on have changed
    └── RunError                 a run could not go on
        ├── DependencyError      a document that the step needs is missing
        ├── VisitsExceeded       a loop went round too often
        ├── ActionError          the model named none of the step's actions
        ├── OutputError          the model's answer does not fit the step's schema
        ├── ItemsError           a `for_each` step was given no list, or too long a one
        ├── ModelError           the model failed
        │   ├── RateLimitError   it asked us to come back later
        │   ├── ProviderUnavailable  it failed so often that it is left alone for a while
        │   ├── ContextTooLong   it was given more than it can read
        │   └── ModelTimeout     it took too long
        ├── RunTimeout           the run took longer than runs.timeout
        ├── ToolError            a tool failed, was unknown or was called wrongly
        ├── BudgetExceeded       an agent would use more than it may
        ├── PriceUnknown         a budget is in dollars, the price of its model is not known
        └── StoreError           memory or documents could not be read or written
            └── StoreUnavailable the store cannot be reached: 503

Each carries its facts as attributes, a stable `code` and the HTTP `status` that
the one handler in `api/problems.py` answers with. No message holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .near import aside, near

RETRY_SECONDS: Final = 5  # after a 503, where nothing better is known


class BMADError(Exception):
    """The root: `message` for people, `code` and `status` for programs."""

    code = "internal_error"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(BMADError):
    """A setting is unknown, out of range or not built yet; `where` is `file:line` or a variable."""

    code = "settings_invalid"

    def __init__(self, message: str, *, where: str, hint: str | None = None) -> None:
        super().__init__(f"{where}: {message}{aside(hint)}")
        self.where = where
        self.hint = hint

    @classmethod
    def of(cls, several: Sequence[SettingsError]) -> SettingsError:
        """One for all, at least one: the first, with a line of the message for each."""
        first = several[0]
        first.message = "\n".join(dict.fromkeys(fault.message for fault in several))
        first.args = (first.message,)
        return first


class ArchiveError(BMADError):
    """A backup that is damaged, none, or would be written over; the message names the file."""

    code = "archive_unusable"


class TreeError(BMADError):
    """The generated folder was changed by hand or written by half; `paths` are relative to it."""

    code = "tree_mismatch"

    def __init__(self, message: str, *, paths: Sequence[str]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class NotFound(BMADError):
    """`kind` is agent, flow, document, memory or run; `name` is what was asked for.

    The message has a near match among those `known`.
    """

    code = "not_found"
    status = 404

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(f"there is no {kind} {name!r}{aside(near(name, known))}")
        self.kind = kind
        self.name = name


class InvalidName(BMADError):
    """`field` is the parameter that does not fit; the value itself is not repeated."""

    code = "invalid_name"
    status = 422

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field} {rule}")
        self.field = field


class Conflict(BMADError):
    """`what` is the thing that is busy or has changed."""

    code = "conflict"
    status = 409

    def __init__(
        self, message: str, *, what: str, code: str = "conflict", status: int = 409
    ) -> None:
        super().__init__(message)
        self.what = what
        self.code = code
        self.status = status


class SourcesChanged(Conflict):
    """`changed` are the paths that were added, removed or edited since the run began."""

    def __init__(self, changed: Sequence[str]) -> None:
        super().__init__(
            "the sources have changed since this run began: say on_change restart or continue",
            what="sources",
            code="sources_changed",
        )
        self.changed = tuple(changed)


class DecisionError(BMADError):
    """The message names what is possible; `code` is gate_, visit_unknown or action_not_offered."""

    status = 422

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RunError(BMADError):
    """A fault of one run; `step` and `attempts` are filled in by whoever knows them.

    `retryable`: the same request, sent again as it is, may well get further.
    """

    code = "run_failed"
    retryable = False

    def __init__(self, message: str, *, step: str | None = None, attempts: int = 1) -> None:
        super().__init__(message)
        self.step = step
        self.attempts = attempts


class DependencyError(RunError):
    """The documents (ids) that a step needs are missing and `on_missing_doc` is `error`."""

    code = "dependency_missing"
    status = 409

    def __init__(self, documents: Sequence[str], *, step: str) -> None:
        super().__init__(f"missing documents: {', '.join(documents)}", step=step)
        self.documents = tuple(documents)


class VisitsExceeded(RunError):
    """A step in a loop has used up its `max_visits`."""

    code = "max_visits_exceeded"

    def __init__(self, step: str, max_visits: int) -> None:
        super().__init__(
            f"step {step!r} was visited {max_visits} times, its max_visits: the same request "
            "fails here again; fresh: true starts over",
            step=step,
        )
        self.max_visits = max_visits


class ActionError(RunError):
    """The answer named no action, or none of `actions`."""

    code = "action_unknown"
    status = 502

    def __init__(
        self, message: str, *, step: str, actions: Sequence[str], attempts: int = 1
    ) -> None:
        super().__init__(message, step=step, attempts=attempts)
        self.actions = tuple(actions)


class OutputError(RunError):
    """The answer is not what the step's `output` schema asks for, also when asked again."""

    code = "output_invalid"
    status = 502


class ItemsError(RunError):
    """What a `for_each` goes through is no list, or longer than its `max_items`."""

    code = "items_unusable"
    status = 502  # a model wrote it


class ModelError(RunError):
    """The provider refused or failed; `http_status` is its answer's, where there was one.

    `retry_after` is in seconds, where the provider said so.
    """

    code = "model_failed"
    status = 502
    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        retryable: bool = False,
        http_status: int | None = None,
        step: str | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(message, step=step, attempts=attempts)
        self.provider = provider
        self.retryable = retryable
        self.http_status = http_status


class RateLimitError(ModelError):
    """429."""

    code = "model_rate_limited"

    def __init__(self, message: str, *, provider: str, retry_after: float | None = None) -> None:
        super().__init__(message, provider=provider, retryable=True, http_status=429)
        self.retry_after = retry_after


class ProviderUnavailable(ModelError):
    """It failed again and again; it is asked again after `retry_after` seconds."""

    code = "provider_unavailable"
    status = 503

    def __init__(self, message: str, *, provider: str, retry_after: float) -> None:
        super().__init__(message, provider=provider, retryable=True)
        self.retry_after = retry_after


class ContextTooLong(ModelError):
    """The request is longer than the model can read; asking again would not help."""

    code = "context_too_long"

    def __init__(self, message: str, *, provider: str, http_status: int | None = None) -> None:
        super().__init__(message, provider=provider, http_status=http_status)


class ModelTimeout(ModelError):
    """No answer within `seconds`."""

    code = "model_timeout"
    status = 504

    def __init__(self, message: str, *, provider: str, seconds: float) -> None:
        super().__init__(message, provider=provider, retryable=True)
        self.seconds = seconds


class RunTimeout(RunError):
    """The run took longer than `seconds`."""

    code = "run_timeout"
    status = 504
    retryable = True  # what is finished by then is not done again

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the run took longer than {seconds:g} seconds")
        self.seconds = seconds


class ToolError(RunError):
    """`tool` is its name in tools.yaml."""

    code = "tool_failed"

    def __init__(self, message: str, *, tool: str, step: str | None = None) -> None:
        super().__init__(message, step=step)
        self.tool = tool


class BudgetExceeded(RunError):
    """The next call could go over what `agent` may use in a run.

    `budget`, `spent` and `wanted` are in `unit`: tokens or USD.
    """

    code = "budget_exceeded"
    status = 402

    def __init__(
        self, agent: str, *, unit: str, budget: float, spent: float, wanted: float
    ) -> None:
        super().__init__(
            f"agent {agent!r} may use {budget:,} {unit} in a run: "
            f"{spent:,} are used, and the next call may need {wanted:,} (max_tokens bounds that)"
        )
        self.agent = agent
        self.unit = unit
        self.budget = budget
        self.spent = spent
        self.wanted = wanted


class PriceUnknown(RunError):
    """`agent` has a budget in dollars, and nobody knows what `model` costs."""

    code = "price_unknown"

    def __init__(self, agent: str, *, model: str) -> None:
        super().__init__(
            f"agent {agent!r} has a budget in dollars, but the price of the model {model!r} "
            "is not known: set llm.prices, or a budget in tokens"
        )
        self.agent = agent
        self.model = model


class StoreError(RunError):
    """`store` is memory or documents; `status` is 507 when there is no room."""

    code = "store_failed"

    def __init__(self, message: str, *, store: str, status: int = 500) -> None:
        super().__init__(message)
        self.store = store
        self.status = status


class StoreUnavailable(StoreError):
    """The store cannot be reached now; nothing is known to be wrong with what it holds."""

    code = "store_unavailable"
    status = 503
    retryable = True

    def __init__(self, message: str, *, store: str) -> None:
        super().__init__(message, store=store, status=self.status)
