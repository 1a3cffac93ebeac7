"""The process's memory of how models fare, and its budget for retries."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ultrai.domain.outcome import FailureKind
from ultrai.policy.health import (
    ModelHealth,
    after_answer,
    after_count,
    after_failure,
    resting_until,
)

_UNTRIED = ModelHealth()
_RETRY_SHARE = 0.20
_RETRY_WINDOW = 1000
_RETRY_FREE = 100


class HealthBook:
    """Health by model id; remembers what has changed since `take_changed`."""

    def __init__(self, known: Mapping[str, ModelHealth] | None = None) -> None:
        self._health = dict(known or {})
        self._changed: set[str] = set()

    def __getitem__(self, model: str) -> ModelHealth:
        """What is known of the model; a blank sheet for one never asked."""
        return self._health.get(model, _UNTRIED)

    def answered(self, model: str, *, first_token_ms: int | None, total_ms: int) -> None:
        """An Attempt on the model yielded an Answer."""
        health = after_answer(self[model], first_token_ms=first_token_ms, total_ms=total_ms)
        self._set(model, health)

    def counted(self, model: str, native: int, *, estimate: int) -> None:
        """The model made so many tokens of a prompt for which so many had been estimated."""
        self._set(model, after_count(self[model], native, estimate=estimate))

    def failed(self, model: str, kind: FailureKind, *, now_s: float) -> None:
        """An Attempt on the model failed; `now_s` is Unix seconds."""
        before = self[model]
        after = after_failure(before, kind, now_s=now_s)
        if after is not before:
            self._set(model, after)

    def rest(self, model: str, until_s: float) -> None:
        """The model's daily quota is used up until then (Unix seconds)."""
        self._set(model, resting_until(self[model], until_s))

    def take_changed(self) -> dict[str, ModelHealth]:
        """What changed since the last call."""
        changed = {model: self._health[model] for model in self._changed}
        self._changed.clear()
        return changed

    def _set(self, model: str, health: ModelHealth) -> None:
        self._health[model] = health
        self._changed.add(model)


class RetryBudget:
    """Same-model retries are at most a fifth of recent Attempts, once there are a hundred.

    It bounds what an outage costs: without it every client multiplies its load by `max_attempts`
    exactly when the upstream can bear it least. Backups are not counted.
    """

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_RETRY_WINDOW)
        self._retries = 0

    def count_first_try(self) -> None:
        """An Attempt starts that is no retry."""
        self._count(is_retry=False)

    def count_retry(self) -> None:
        """A retry was decided on: counted at once, so that many failing together share one."""
        self._count(is_retry=True)

    def allows_retry(self) -> bool:
        """Whether one more retry stays within the budget."""
        attempts = len(self._recent)
        return attempts < _RETRY_FREE or self._retries + 1 <= _RETRY_SHARE * (attempts + 1)

    def _count(self, *, is_retry: bool) -> None:
        if len(self._recent) == _RETRY_WINDOW and self._recent[0]:
            self._retries -= 1
        self._recent.append(is_retry)
        self._retries += is_retry
