"""A Report as one web page that needs nothing else: no script, no request, nothing from outside.

All text of models and people is escaped and shown as it is, never as markup. The page's own policy
(a `meta` element) allows its one style, by hash, and nothing more; so even a slip in the escaping
could neither run nor fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from ultrai.cli.render.phrases import failure_line
from ultrai.cli.render.provenance import messages_of, provenance
from ultrai.cli.render.safety import clean, one_line
from ultrai.cli.render.summary import verdict
from ultrai.domain.report import AttemptReport, Report, SlotReport

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --odd: #9a5b00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --odd: #ffc46b; --bad: #ff9d94; } }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: 0 1rem 1rem;
  margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0;
  unicode-bidi: plaintext; }
.about { opacity: .75; font-size: .875rem; } .asked { background: var(--soft); }
.bad { color: var(--bad); } .odd { color: var(--odd); }
"""


def render_html(report: Report) -> str:
    """The whole page."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"{report.cocktail or 'Models named one by one'}, {report.created_at}"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>UltrAI: {_line(title)}</title>",
        f"<style>{_STYLE}</style>",
        "<main>",
        f"<h1>{_line(title)}</h1>",
        f'<p class="about">{_line(verdict(report))}</p>',
        *(_message(role, content) for role, content in messages_of(report)),
        *(_slot(slot) for slot in report.slots),
        *_notices(report),
        "</main>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _message(role: str, content: str) -> str:
    return f'<section class="asked"><h2>{_line(role)}</h2>{_text(content)}</section>'


def _slot(slot: SlotReport) -> str:
    who = slot.answered_by or slot.primary
    parts = [f"<section><h2>{_line(who)}</h2>"]
    if slot.answer is not None:
        parts.append(f'<p class="about">{_line(provenance(slot))}</p>{_text(slot.answer.text)}')
    else:
        parts.append(f'<p class="bad">No answer: {_line(slot.state.value)}.</p>')
    parts.extend(_attempt(attempt) for attempt in slot.attempts if attempt.failure is not None)
    if slot.answer is None and slot.failure is not None and not slot.attempts:
        parts.append(f'<p class="bad">{_line(failure_line(slot.failure))}</p>')
    return "".join([*parts, "</section>"])


def _attempt(attempt: AttemptReport) -> str:
    failure = failure_line(attempt.failure) if attempt.failure else ""
    text = f'<p class="bad">Attempt {attempt.n}, {_line(attempt.model)}: {_line(failure)}</p>'
    if attempt.partial is None or not attempt.partial.text:
        return text
    summary = "<summary>What had arrived</summary>"
    return f"{text}<details>{summary}{_text(attempt.partial.text)}</details>"


def _notices(report: Report) -> list[str]:
    if not report.notices:
        return []
    items = "".join(f'<li class="odd">{_line(n.message)}</li>' for n in report.notices)
    return [f"<h2>Notices</h2><ul>{items}</ul>"]


def _text(text: str) -> str:
    return f"<pre>{escape(clean(text))}</pre>"


def _line(text: str) -> str:
    return escape(one_line(text, limit=2000))
