"""The ledger's tables. Entries are only ever added; the others say what is open and add up entries.

`balances` hold what every Budget's entries of one period add up to, so that a check reads one row;
a test and `verify` compare them with the sums. `open_runs` and `open_attempts` are work in hand:
whatever is in them is not over yet, whoever died. Money is nanodollars, stamps are RFC 3339.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, Table, Text

from ultrai.store.tables import METADATA

BUDGETS = Table(
    "budgets",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("limit_nanos", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("origin", Text, nullable=False),  # "settings", or "" for those set by hand
)

# `counted`: whether what was spent before the Budget existed has been added.
BALANCES = Table(
    "balances",
    METADATA,
    Column("budget", Text, primary_key=True),
    Column("period_start", Text, primary_key=True),
    Column("posted_nanos", BigInteger, nullable=False),
    Column("held_nanos", BigInteger, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    CheckConstraint("held_nanos >= 0", name="nothing_is_held_twice"),
)

# `unsure_delta` is the part of `posted_delta` that stands there for want of a known cost.
# `day` is that of the Attempt; `began_at` that of its Run, which decides about the period. The
# native token counts are those that are billed; the normalised ones are by one tokenizer for all.
ENTRIES = Table(
    "ledger_entries",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("began_at", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("slot", Integer),
    Column("attempt", Integer),
    Column("held_delta", BigInteger, nullable=False),
    Column("posted_delta", BigInteger, nullable=False),
    Column("unknown_delta", Integer, nullable=False),
    Column("unsure_delta", BigInteger, nullable=False),
    Column("cost_nanos", BigInteger),
    Column("cost_state", Text),
    Column("cost_raw", Text),
    Column("outcome", Text),
    Column("model", Text),
    Column("upstream", Text),
    Column("provider", Text),
    Column("generation_id", Text),
    Column("key", Text),
    Column("environment", Text),
    Column("user", Text),
    Column("feature", Text),
    Column("tags", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("normalised_prompt_tokens", BigInteger),
    Column("normalised_completion_tokens", BigInteger),
    sqlite_with_rowid=False,  # one tree less to write to
)
Index("ledger_entries_of_run", ENTRIES.c.run_id)
Index("ledger_entries_by_time", ENTRIES.c.began_at)

# One row for each transaction that added entries: `head` is the hash over the head before it and
# over the entries from `first_seq` to `last_seq`.
SEALS = Table(
    "ledger_seals",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("last_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
)

CHAINS = Table(
    "ledger_chains",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
)

OPEN_RUNS = Table(
    "open_runs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("payer", Text, nullable=False),
)

# `settled`: over, and posted at what it may have cost until the upstream says more.
OPEN_ATTEMPTS = Table(
    "open_attempts",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("payer", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("sent_at", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("posted_nanos", BigInteger, nullable=False),
    Column("bound_nanos", BigInteger),
    Column("generation_id", Text),
    Column("counted", Boolean, nullable=False),  # whether its tokens are known
    Column("first_try_at", Text),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Text),
)
