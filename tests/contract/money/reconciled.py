"""The ledger against the upstream's own bill, after reconciliation, in worlds full of trouble.

python -m tests.contract.money.reconciled 200

Worlds of the simulation (docs/simulation.md): cut streams, lost clients, missing usage, deaths of
the process, records that come late or never. The bill is the simulator's, which shares no code with
the ledger. Answers about whose cost the upstream itself said something untrue are counted apart.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from tests.simulation.invariants import untrue, violations
from tests.simulation.stage import play_seed

from ultrai.domain.money import format_usd, reported_nanos


def main(argv: Sequence[str]) -> int:
    """Print the figures; exit 1 where ledger and bill differ."""
    worlds = int(argv[0]) if argv else 200
    counts: Counter[str] = Counter()
    for seed in range(worlds):
        played = play_seed(seed)
        counts["violations"] += len(violations(played))
        lies, posted = untrue(played), played.books[-1].posted
        for line in played.world.bill:
            billed = reported_nanos(line.cost_wire) or 0
            if line.generation_id in lies:
                counts["told untruly"] += 1
            elif line.generation_id not in posted:
                counts["without an id"] += 1
                counts["nanos without an id"] += billed
            else:
                nanos, is_known = posted[line.generation_id]
                counts["known" if is_known else "unknown"] += 1
                counts["difference"] += abs(nanos - billed) if is_known else 0
                counts["above its bound"] += not is_known and billed > nanos
        counts["reconciled"] += played.books[-1].corrections["reconciled"]
        counts["given up"] += played.books[-1].corrections["unknown_billed"]
    _say(f"worlds                                            {worlds:10,}")
    _say(f"billed answers whose cost the ledger knows        {counts['known']:10,}")
    _say(f"  difference from the bill, nanodollars           {counts['difference']:10,}")
    _say(f"billed answers held at their bound                {counts['unknown']:10,}")
    _say(f"  billed above that bound                         {counts['above its bound']:10,}")
    _say(f"billed answers whose id never arrived             {counts['without an id']:10,}")
    lost_usd = format_usd(counts["nanos without an id"])
    _say(f"  billed for them                                 ${lost_usd}")
    _say(f"billed answers with an untrue cost (left out)     {counts['told untruly']:10,}")
    _say(f"attempts asked about later and then known         {counts['reconciled']:10,}")
    _say(f"attempts given up as unknown_billed               {counts['given up']:10,}")
    _say(f"violations                                        {counts['violations']:10,}")
    wrong = counts["difference"] + counts["above its bound"] + counts["violations"]
    return 1 if wrong else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
