// One run on the screen: a bar, and a column for each slot. Live runs are told by their events,
// stored ones by their report; the report always has the last word.

import { api, nodesOf } from "/web/api.js";
import { announce, badge, download, h, many, problem, span, usd } from "/web/parts.js";

const OVER = new Set(["answered", "failed", "cancelled", "skipped"]);
const FOLLOW_MARGIN_PX = 40;
const CACHED = "from the cache";

export class RunBoard {
  /** `actions`: retry(slot), cancel(slot), stop(); none of them for a run that is only looked at. */
  constructor(place, { actions = null, cap = null } = {}) {
    this.place = place;
    this.actions = actions;
    this.cap = cap;
    this.columns = [];
    this.notices = [];
    this.report = null;
    this.beganAt = performance.now();
    this.chosen = 0;
    this.progress = h("progress", { max: 1, value: 0, "aria-label": "Slots with a result" });
    this.words = h("span", { class: "words" });
    this.clock = h("span", { class: "clock" }, "0 s");
    this.money = h("span", { class: "money" });
    this.stop = actions
      ? h("button", { type: "button", class: "danger", onclick: () => actions.stop() }, "Stop all")
      : null;
    this.bar = h("div", { class: "runbar" }, this.progress, this.words, this.clock, this.money, this.stop);
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Answers", onkeydown: (event) => this.turn(event) });
    this.row = h("div", { class: "columns", tabIndex: -1 });
    this.notes = h("details", { class: "notes", hidden: true });
    place.replaceChildren(this.bar, this.notes, this.tabs, this.row);
    this.timer = setInterval(() => this.tick(), 500);
    this.wanted = false;
  }

  destroy() {
    clearInterval(this.timer);
  }

  /** Take one event in; what it changes is drawn with the next frame. */
  take(event) {
    const column = event.slot === undefined ? null : this.columns[event.slot];
    if (event.type === "planned") this.plan(event.slots);
    else if (event.type === "notice") this.notices.push(event.notice);
    else if (event.type === "report") this.finish(event);
    else if (column) column.take(event);
    if (event.type === "slot_answered" || event.type === "slot_failed") {
      const done = this.columns.filter((each) => OVER.has(each.state)).length;
      announce(`${column.name} ${column.state}, ${done} of ${this.columns.length}`);
    }
    this.soon();
  }

  plan(slots) {
    if (this.columns.length) return;
    this.columns = slots.map((slot) => new Column(slot.index, slot.primary, this));
    this.row.replaceChildren(...this.columns.map((column) => column.element));
    this.tabs.replaceChildren(...this.columns.map((column) => column.tab));
    this.row.style.setProperty("--count", this.columns.length);
    this.choose(0);
  }

  /** A stored run, or the last word on a live one. */
  finish(report) {
    this.report = report;
    this.plan(report.slots);
    this.notices = report.notices;
    for (const slot of report.slots) this.columns[slot.index].settle(slot);
    if (report.status !== "running") {
      clearInterval(this.timer);
      if (this.stop) this.stop.hidden = true;
    }
    this.draw();
  }

  soon() {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => { this.wanted = false; this.draw(); });
  }

  draw() {
    const done = this.columns.filter((column) => OVER.has(column.state)).length;
    const answered = this.columns.filter((column) => column.state === "answered").length;
    this.progress.max = this.columns.length || 1;
    this.progress.value = done;
    const status = this.report && this.report.status !== "running" ? badge(this.report.status) : null;
    const open = this.columns.length - done;
    const count = `${answered} of ${this.columns.length} answered${open ? `, ${open} to come` : ""}`;
    this.words.replaceChildren(...(status ? [status, " ", count] : [count]));
    const known = this.columns.map((column) => column.cost).filter((cost) => cost !== null);
    const spent = this.report?.cost_usd ?? (known.length ? known.reduce((sum, cost) => sum + Number(cost), 0) : "0");
    const sure = this.report ? this.report.cost_known : true;
    this.money.textContent = `spent ${usd(spent, { atMost: !sure })}${this.cap ? ` of at most ${usd(this.cap)}` : ""}`;
    this.drawNotes();
    for (const column of this.columns) column.draw();
    this.tick();
  }

  drawNotes() {
    this.notes.hidden = !this.notices.length;
    if (this.notes.dataset.count === String(this.notices.length)) return;
    this.notes.dataset.count = this.notices.length;
    this.notes.replaceChildren(
      h("summary", {}, many(this.notices.length, "notice")),
      h("ul", {}, this.notices.map((notice) => h("li", {},
        notice.slot === null || notice.slot === undefined ? "" : `[${notice.slot + 1}] `, notice.message))),
    );
  }

  tick() {
    const ms = this.report?.elapsed_ms ?? Math.round(performance.now() - this.beganAt);
    this.clock.textContent = span(ms);
    for (const column of this.columns) column.wait(ms);
  }

  /** On a narrow screen one column is shown, and the tabs turn to the others. */
  choose(index) {
    this.chosen = index;
    this.columns.forEach((column, place) => {
      column.element.classList.toggle("chosen", place === index);
      column.tab.setAttribute("aria-selected", String(place === index));
      column.tab.tabIndex = place === index ? 0 : -1;
    });
  }

  turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.choose((this.chosen + step + this.columns.length) % this.columns.length);
    this.columns[this.chosen].tab.focus();
  }

  zoom(column) {
    const zoomed = this.row.classList.toggle("zoomed");
    for (const each of this.columns) each.element.classList.toggle("aside", zoomed && each !== column);
    column.zoomButton.setAttribute("aria-pressed", String(zoomed));
    column.zoomButton.textContent = zoomed ? "Show all" : "Zoom";
  }

  exports() {
    const report = this.report;
    return [
      h("button", { type: "button", onclick: () => download(`${report.id}.md`, "text/markdown", markdownOf(report)) }, "Save as Markdown"),
      h("button", { type: "button", onclick: () => download(`${report.id}.json`, "application/json", JSON.stringify(report, null, 2)) }, "Save as JSON"),
    ];
  }
}

class Column {
  constructor(index, primary, board) {
    this.index = index;
    this.primary = primary;
    this.board = board;
    this.model = primary;
    this.state = "queued";
    this.text = "";
    this.reasoning = "";
    this.cost = null;
    this.failure = null;
    this.last = null;
    this.firstMs = null;
    this.startedMs = null;
    this.endMs = null;
    this.tokens = null;
    this.rendered = null;
    this.badges = [];
    const id = `column-${index}-${board.columns.length}-${Math.random().toString(36).slice(2, 8)}`;
    this.title = h("h2", { id });
    this.state_ = h("span", {});
    this.why = h("p", { class: "why" });
    this.figures = h("p", { class: "figures" });
    this.thought = h("details", { class: "thought", hidden: true }, h("summary", {}, "Reasoning"), h("div", { class: "plain" }));
    this.body = h("div", { class: "text", tabIndex: 0, role: "group", "aria-label": "Answer" });
    this.trouble = h("div", {});
    this.cancelButton = this.button("Stop", () => board.actions.cancel(index));
    this.retryButton = this.button("Ask again", () => board.actions.retry(index));
    this.zoomButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => board.zoom(this) }, "Zoom");
    this.copyButton = h("button", { type: "button", onclick: () => this.copy() }, "Copy");
    this.element = h("section", { class: "column", "aria-labelledby": id },
      h("header", {}, this.title, this.state_, this.why, this.figures,
        h("div", { class: "row" }, this.cancelButton, this.retryButton, this.zoomButton, this.copyButton)),
      this.thought, this.body, this.trouble);
    this.tab = h("button", { type: "button", role: "tab", onclick: () => board.choose(index) });
  }

  get name() {
    return this.model.split("/").pop();
  }

  button(word, act) {
    return this.board.actions
      ? h("button", { type: "button", hidden: true, onclick: () => act() }, word)
      : h("button", { type: "button", hidden: true }, word);
  }

  take(event) {
    const set = {
      slot_started: () => { this.state = "queued"; },
      attempt_started: () => {
        this.model = event.model;
        this.state = this.last ? "retrying" : "connecting";
        this.startedMs = event.t_ms;
        this.firstMs = null;
        this.text = this.reasoning = "";
      },
      first_token: () => { this.firstMs = event.t_ms; },
      text_delta: () => { this.state = "streaming"; this.text += event.text; },
      reasoning_delta: () => { this.state = "thinking"; this.reasoning += event.text; },
      attempt_failed: () => { this.last = event.failure; this.lastModel = event.model; },
      attempt_withdrawn: () => { this.text = this.reasoning = ""; },
      slot_answered: () => {
        this.answer(event.answer, event.answered_by, event.usage);
        this.cost = event.cost_usd;
        this.endMs = event.t_ms;
      },
      slot_failed: () => {
        this.state = event.state ?? "failed";
        this.failure = event.failure ?? null;
        this.cost = event.cost_usd ?? this.cost;
        this.endMs = event.t_ms;
      },
    }[event.type];
    set?.();
  }

  answer(answer, model, usage) {
    this.state = "answered";
    this.model = model ?? this.model;
    this.text = answer.text;
    this.reasoning = answer.reasoning ?? "";
    this.tokens = usage?.completion_tokens ?? null;
    this.badges = [answer.cached && CACHED, answer.truncated && "cut by the token limit"].filter(Boolean);
    this.calls = answer.tool_calls ?? [];
  }

  /** What the report says of the slot. */
  settle(slot) {
    this.cost = slot.cost_usd;
    this.endMs = slot.elapsed_ms ?? this.endMs;
    this.firstMs = slot.first_token_ms ?? this.firstMs;
    const failed = slot.attempts.filter((attempt) => attempt.failure);
    if (failed.length) [this.last, this.lastModel] = [failed.at(-1).failure, failed.at(-1).model];
    if (slot.answer) this.answer(slot.answer, slot.answered_by, slot.usage);
    else if (OVER.has(slot.state)) {
      this.state = slot.state;
      this.failure = slot.failure;
      const partial = slot.attempts.findLast((attempt) => attempt.partial)?.partial;
      if (partial) this.text = partial.text;
    } else if (this.board.report?.status === "interrupted") this.state = "cancelled";
  }

  draw() {
    this.title.textContent = this.model;
    this.state_.replaceChildren(badge(this.state), ...this.badges.map((word) => h("span", { class: "badge odd" }, ` ${word}`)));
    const isOther = this.model !== this.primary;
    const why = this.last ? `${this.last.kind.replaceAll("_", " ")}: ${this.last.message}` : "";
    this.why.textContent = isOther ? `for ${this.primary}${why ? ` (${why})` : ""}` : this.state === "retrying" && why ? why : "";
    this.why.title = this.why.textContent;
    this.tab.replaceChildren(`${this.index + 1} ${this.name} `, badge(this.state));
    const over = OVER.has(this.state);
    this.cancelButton.hidden = !this.board.actions || over;
    this.retryButton.hidden = !this.board.actions || !over || this.state === "answered";
    this.copyButton.hidden = !this.text;
    this.thought.hidden = !this.reasoning;
    this.thought.lastChild.textContent = this.reasoning;
    this.body.setAttribute("aria-busy", String(!over));
    this.drawText();
    this.drawTrouble();
    this.wait();
  }

  drawText() {
    if (this.state === "answered") {
      if (this.rendered === this.text) return;
      this.rendered = this.text;
      const text = this.text;
      this.plain(text);
      nodesOf(text).then((nodes) => { if (this.rendered === text) this.body.replaceChildren(h("div", { class: "rich" }, nodes), this.toolCalls()); }, () => {});
      return;
    }
    this.rendered = null;
    const follows = this.body.scrollHeight - this.body.scrollTop - this.body.clientHeight < FOLLOW_MARGIN_PX;
    this.plain(this.text);
    if (follows) this.body.scrollTop = this.body.scrollHeight;
  }

  plain(text) {
    if (this.body.firstChild?.className !== "plain") this.body.replaceChildren(h("div", { class: "plain" }));
    const node = this.body.firstChild;
    if (node.firstChild && text.startsWith(node.textContent)) node.firstChild.appendData(text.slice(node.textContent.length));
    else node.textContent = text;
  }

  toolCalls() {
    return this.calls?.length
      ? h("pre", { class: "calls" }, this.calls.map((call) => `${call.function.name}(${call.function.arguments})`).join("\n"))
      : "";
  }

  drawTrouble() {
    const failure = this.state === "answered" ? null : this.failure;
    if (this.shown === failure) return;
    this.shown = failure;
    this.trouble.replaceChildren(failure ? problem({ title: `${failure.kind.replaceAll("_", " ")}. `, message: failure.message, advice: failure.advice }) : "");
  }

  wait(nowMs) {
    const parts = [];
    const wasAsked = !this.badges.includes(CACHED);
    if (!wasAsked) parts.push("at once");
    else if (this.firstMs !== null && this.startedMs !== null) parts.push(`first token ${span(this.firstMs - this.startedMs)}`);
    else if (this.firstMs !== null) parts.push(`first token ${span(this.firstMs)}`);
    const ms = this.endMs !== null && this.firstMs !== null ? this.endMs - this.firstMs : null;
    if (this.tokens !== null) parts.push(many(this.tokens, "token"));
    if (wasAsked && this.tokens && ms > 0) parts.push(`${Math.round((this.tokens * 1000) / ms)} tok/s`);
    if (wasAsked && this.endMs !== null) parts.push(span(this.endMs));
    else if (wasAsked && nowMs !== undefined && this.state !== "streaming" && this.state !== "thinking") parts.push(`${badgeWord(this.state)} ${span(nowMs)}`);
    if (this.cost !== null) parts.push(usd(this.cost));
    if (parts.length) this.figures.textContent = parts.join(" · ");
  }

  async copy() {
    await navigator.clipboard.writeText(this.text);
    announce(`The answer of ${this.name} is copied.`);
    this.copyButton.textContent = "Copied";
    setTimeout(() => { this.copyButton.textContent = "Copy"; }, 1500);
  }
}

const badgeWord = (state) => ({ queued: "waiting", connecting: "connecting", retrying: "trying again" })[state] ?? state;

/** The question that a report is about: its last message of a user. */
export function questionOf(report) {
  const messages = report.query.messages ?? [];
  return String(messages.findLast((message) => message.role === "user")?.content ?? "");
}

export function markdownOf(report) {
  const lines = [`# ${questionOf(report).split("\n")[0]}`, "", `${report.cocktail ?? "models"} · ${report.created_at} · ${report.status} · ${usd(report.cost_usd)} · ${report.id}`];
  for (const slot of report.slots) {
    const by = slot.answered_by ?? slot.primary;
    lines.push("", `## ${by}${slot.answered_by && by !== slot.primary ? ` (for ${slot.primary})` : ""}`, "");
    lines.push(slot.answer ? slot.answer.text : `No answer: ${slot.failure?.message ?? slot.state}.`);
  }
  if (report.notices.length) lines.push("", "## Notices", "", ...report.notices.map((notice) => `- ${notice.message}`));
  return `${lines.join("\n")}\n`;
}

/** Ask one slot, or all, something of the server that changes the run. */
export function actionsFor(runId, { onRun, onProblem }) {
  const act = async (path) => {
    try {
      const report = await api("POST", `/v1/runs/${runId}${path}`);
      if (report.id !== runId) onRun(report);
    } catch (error) {
      onProblem(error);
    }
  };
  return {
    stop: () => act("/cancel"),
    cancel: (slot) => act(`/slots/${slot}/cancel`),
    retry: (slot) => act(`/slots/${slot}/retry`),
  };
}
