"""What goes wrong, as HTTP says it: a status, and OpenAI's envelope with UltrAI's block beside it.

| outcome | status | `code` |
|---|---|---|
| the request is wrong | 400 | `bad_usage`, or what it lacks |
| no such model or run | 404 | `model_not_found`, `not_found` |
| refused by a budget | 402 | `refused_by_budget` |
| the upstream refuses key or credit | 502 | `upstream_auth`, `upstream_credit` |
| no answer in time | 504 | `deadline` |
| no answer otherwise | 502 | the kind of all failures if they are alike, else `no_answer` |
| own key missing or wrong; not allowed | 401; 403 | `missing_key`, `invalid_key`; `not_allowed` |
| full, draining, database away | 503 with Retry-After | `overloaded`, `draining`, `store` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ultrai.domain.errors import (
    BudgetRefusal,
    CredentialsError,
    KeyRefused,
    LocalModelError,
    ModelNotFound,
    NotFound,
    SettingsError,
    StoreError,
    UltraiError,
    UpstreamUnavailable,
    UsageError,
)
from ultrai.domain.outcome import FailureKind, Remedy
from ultrai.domain.report import Report, RunStatus

_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "budget_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    502: "upstream_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_RETRY_AFTER_S = 1
_CREDIT = (FailureKind.INSUFFICIENT_CREDIT, FailureKind.KEY_LIMIT)

# The first that fits counts: a subclass stands before its base.
_STATUS_AND_CODE: tuple[tuple[type[UltraiError], int, str], ...] = (
    (ModelNotFound, 404, "model_not_found"),
    (UsageError, 400, UsageError.code),
    (NotFound, 404, NotFound.code),
    (BudgetRefusal, 402, BudgetRefusal.code),
    (CredentialsError, 502, "upstream_auth"),
    (KeyRefused, 502, "upstream_auth"),
    (UpstreamUnavailable, 502, UpstreamUnavailable.code),
    (LocalModelError, 502, LocalModelError.code),
    (StoreError, 503, StoreError.code),
    (SettingsError, 500, SettingsError.code),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as a client gets it. `about` is the block `ultrai` beside it."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: int | None = None
    about: Mapping[str, object] | None = None

    @property
    def error(self) -> dict[str, object]:
        """OpenAI's envelope, inside."""
        kind = _TYPES.get(self.status, "server_error")
        if self.status < 500 and self.status not in _TYPES:  # noqa: PLR2004 - HTTP's own line
            kind = "invalid_request_error"
        return {"message": self.message, "type": kind, "code": self.code, "param": self.param}

    def to_dict(self) -> dict[str, object]:
        """The whole body."""
        about = self.about or {"run_id": None, "slots": []}
        return {"error": self.error, "ultrai": about}

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What goes out beside the body."""
        if self.status == 401:  # noqa: PLR2004 - HTTP's own number
            return [(b"www-authenticate", b"Bearer")]
        if self.retry_after_s is None:
            return []
        return [(b"retry-after", str(self.retry_after_s).encode())]


class Refused(Exception):
    """The request ends here, with this Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def bad_request(message: str, *, param: str | None = None, code: str = "bad_usage") -> Refused:
    """400, before anything was sent."""
    return Refused(Problem(400, code, message, param))


def not_available_yet(what: str, *, param: str | None = None) -> Refused:
    """400 for what later versions can do."""
    return bad_request(f"{what} is not available yet", param=param, code="not_available_yet")


def full(message: str, *, code: str = "overloaded") -> Refused:
    """503: come back in a moment."""
    return Refused(Problem(503, code, message, retry_after_s=_RETRY_AFTER_S))


def problem_of_error(error: UltraiError) -> Problem:
    """What an error means that left no Report."""
    message = f"{error}; {error.hint}" if error.hint else str(error)
    status, code = next(
        ((status, code) for kind, status, code in _STATUS_AND_CODE if isinstance(error, kind)),
        (500, error.code),
    )
    if isinstance(error.__cause__, StoreError):  # a budget holds that cannot be looked at
        status, code = 503, StoreError.code
    retry_after_s = _RETRY_AFTER_S if status == 503 else None  # noqa: PLR2004 - HTTP's own number
    param = "model" if isinstance(error, ModelNotFound) else None
    return Problem(status, code, message, param, retry_after_s)


def problem_of_report(report: Report) -> Problem | None:
    """Why a Run that is over is of no use to who asked; None: it has an Answer."""
    if report.answers:
        return None
    status, code, message = _verdict(report)
    about = {"run_id": report.id, "slots": [slot.to_dict() for slot in report.slots]}
    return Problem(status, code, message, about=about)


def _verdict(report: Report) -> tuple[int, str, str]:
    if report.status is RunStatus.INTERRUPTED:
        return 502, "cancelled", "the run was cancelled before it had an answer"
    failures = [slot.failure for slot in report.slots if slot.failure is not None]
    message = "; ".join(dict.fromkeys(each.message for each in failures)) or "no answer"
    if report.status is RunStatus.REFUSED:
        return 402, BudgetRefusal.code, message
    stops = [
        attempt.failure.kind
        for slot in report.slots
        for attempt in slot.attempts
        if attempt.failure is not None and attempt.failure.remedy is Remedy.STOP_UPSTREAM
    ]
    if stops:
        return 502, "upstream_credit" if stops[0] in _CREDIT else "upstream_auth", message
    kinds = {each.kind for each in failures}
    if kinds == {FailureKind.DEADLINE}:
        return 504, FailureKind.DEADLINE.value, message
    return 502, kinds.pop().value if len(kinds) == 1 else "no_answer", message
