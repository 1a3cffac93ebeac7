"""Ask a cocktail once and read its Report: who answered, who failed, what it cost."""

from __future__ import annotations

import sys

import ultrai


def main() -> int:
    """Print every answer under the id of the model that gave it; the exit code of the run."""
    prompt = " ".join(sys.argv[1:]) or "Explain quantum computing in simple terms."
    report = ultrai.ask(prompt, cocktail="SPEEDY", max_tokens=300)
    for slot in report.slots:
        if slot.answer is not None:
            print(f"## {slot.answered_by}\n\n{slot.answer.text}\n")
        elif slot.failure is not None:
            print(f"## {slot.primary} did not answer\n\n{slot.failure.message}\n")
    shape = report.to_dict()
    known = "" if report.cost_known else " (not all of it is known)"
    print(f"{report.status}: {len(report.answers)} of {len(report.slots)} answered")
    print(f"cost: ${shape['cost_usd']}{known}")
    return report.exit_code


if __name__ == "__main__":
    try:
        code = main()
    except ultrai.UltraiError as error:  # nothing was sent: there is no Report
        sys.exit(f"{error} ({error.hint})" if error.hint else str(error))
    sys.exit(code)
