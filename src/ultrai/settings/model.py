"""Settings: one frozen value that says everything a user can choose. Defaults are a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ultrai.domain.budget import Budget
from ultrai.domain.cocktail import Cocktail
from ultrai.domain.fitting import FitWish
from ultrai.domain.secret import Secret
from ultrai.policy.corrections import Corrections
from ultrai.policy.succession import Successions
from ultrai.settings.alert_sinks import AlertSettings
from ultrai.settings.key_reference import KeyReference

OPENROUTER = "openrouter"
CACHE_OFF = "off"
CACHE_EXACT = "exact"
DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"


@dataclass(frozen=True, slots=True)
class Attribution:
    """What tells OpenRouter which application asks; empty strings send nothing."""

    referer: str = "https://github.com/ultrai-project/ultrai"
    title: str = "UltrAI"


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """A further server with OpenAI's format; its models bear `prefix/` before their own ids.

    `free`: its models cost nothing. Prices are otherwise unknown. `key`, `key_reference`,
    `key_problem` and `proxy` are as in `Settings`.
    """

    prefix: str
    base_url: str
    key: Secret | None = None
    key_reference: KeyReference | None = None
    key_problem: str | None = None
    proxy: str | None = field(default=None, repr=False)
    free: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can choose. Durations are seconds, prices decimal text in USD.

    `key` is the key as far as it is known without asking a store; `key_reference` is where it is
    kept, if it may change there. `key_problem`: a key is named but could not be had, and why; what
    needs the key fails with it, and nothing else does. `proxy` is the address of the proxy for
    `base_url`; it may hold a password. `cocktails`, `corrections` and `successions` are the user's
    own, to be merged into the shipped ones. `source` is the settings file.
    `cache` None: as `cache_mode` says.
    `traces`: the environment says where OpenTelemetry's spans go.
    """

    home: Path
    key: Secret | None = None
    key_reference: KeyReference | None = None
    key_problem: str | None = None
    management_key: Secret | None = None
    management_key_reference: KeyReference | None = None
    management_key_problem: str | None = None
    base_url: str = DEFAULT_BASE_URL
    proxy: str | None = field(default=None, repr=False)
    environment: str | None = None
    database_url: str | None = field(default=None, repr=False)
    valkey_url: str | None = field(default=None, repr=False)
    deadline_s: float | None = None
    max_attempts: int = 3
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 8.0
    max_wait_s: float = 20.0
    connect_timeout_s: float = 10.0
    headers_timeout_s: float = 60.0
    first_text_timeout_s: float | None = None
    text_stall_timeout_s: float = 30.0
    liveness_timeout_s: float = 60.0
    concurrency: int = 50
    queue_limit: int = 10_000
    pace_per_minute: Mapping[str, int] = field(default_factory=dict)
    quorum: int | None = None
    synthesis: str | None = None
    price_headroom: str = "1.25"
    max_price_per_million_usd: str | None = None
    reasoning_headroom_tokens: int = 4000
    max_tokens_floor: int = 64
    shrink_floor_tokens: int | None = None
    max_file_mb: int = 64
    free_may_become_paid: bool = False
    streaming: bool = True
    fit: FitWish = FitWish.AUTO
    fit_retrieve_tokens: int = 20_000
    fit_summariser: str | None = None
    history: bool = True
    cache: str | None = None
    cache_ttl_s: float = 86_400.0
    cache_max_mb: int = 100
    metrics: bool = False
    traces: bool = False
    trace_content: bool = False
    attribution: Attribution = field(default_factory=Attribution)
    cocktails: tuple[Cocktail, ...] = ()
    corrections: Corrections = field(default_factory=Corrections)
    successions: Successions = field(default_factory=Successions)
    upstreams: Mapping[str, UpstreamSettings] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    alerts: AlertSettings | None = None
    source: Path | None = None

    @property
    def names_a_key(self) -> bool:
        """Whether OpenRouter is to be asked with a key, be it at hand, in a store or out of reach.

        A key that is named but cannot be had is an error of what needs it, not the lack of one.
        """
        return not (self.key is None and self.key_reference is None and self.key_problem is None)

    @property
    def cache_mode(self) -> str:
        """`exact` or `off`. Without a history no answers are kept either, unless it is said so."""
        if self.cache is not None:
            return self.cache
        return CACHE_EXACT if self.history else CACHE_OFF

    def known_keys(self) -> Iterator[Secret]:
        """Every key that was read so far, also those that have been replaced: to be masked."""
        keys = [self.key, self.management_key]
        references = [self.key_reference, self.management_key_reference]
        for upstream in self.upstreams.values():
            keys.append(upstream.key)
            references.append(upstream.key_reference)
        if self.alerts is not None:
            keys += [each for each in self.alerts.secrets() if isinstance(each, Secret)]
            references += [each for each in self.alerts.secrets() if isinstance(each, KeyReference)]
        yield from (key for key in keys if key is not None)
        for reference in references:
            yield from () if reference is None else tuple(reference.seen)

    @property
    def key_identity(self) -> str | None:
        """What the key is called in the ledger: a fingerprint, or that of the reference to it.

        What may be replaced where it is kept goes by the reference, so that its Budgets go on.
        """
        if self.key_reference is not None:
            return self.key_reference.identity
        return None if self.key is None else self.key.fingerprint
