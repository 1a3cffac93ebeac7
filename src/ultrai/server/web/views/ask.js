// Ask: the question, what it may cost, the answers side by side, and what to ask next.

import { api, follow, textOf } from "/web/api.js";
import { announce, choice, field, h, many, problem, span, usd } from "/web/parts.js";
import { actionsFor, questionOf, RunBoard } from "/web/run.js";

const DRAFT = "ultrai.draft";
const PLAN_AFTER_MS = 500;
const FITS = ["auto", "whole", "retrieve", "summarise", "compress", "refuse"];

export function mount(place, [runId]) {
  const view = new AskView(place);
  view.start(runId);
  return () => view.destroy();
}

class AskView {
  constructor(place) {
    this.place = place;
    this.documents = [];
    this.leaving = new AbortController();
    this.form = this.makeForm();
    this.problems = h("div", {});
    this.live = h("div", { class: "live" });
    this.next = h("div", { class: "next" });
    place.replaceChildren(h("h1", { class: "unseen" }, "Ask"), this.form, this.problems, this.live, this.next);
  }

  destroy() {
    this.leaving.abort();
    this.board?.destroy();
    clearTimeout(this.planning);
  }

  makeForm() {
    const later = () => this.planSoon();
    this.prompt = h("textarea", {
      id: "prompt", rows: 4, required: true, placeholder: "Explain quantum computing in simple terms.",
      oninput: later, onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit(event); },
    });
    this.cocktail = h("select", { id: "cocktail", onchange: () => { this.showModels(); later(); } });
    this.models = h("input", { id: "models", type: "text", list: "known-models", placeholder: "openai/gpt-4o, x-ai/grok-4", oninput: later, autocomplete: "off", spellcheck: false });
    this.models.setAttribute("list", "known-models");
    this.modelsField = h("div", { class: "field", hidden: true }, h("label", { htmlFor: "models" }, "Models, with commas between"), this.models, h("datalist", { id: "known-models" }));
    this.files = h("input", { id: "files", type: "file", multiple: true, onchange: () => this.attach([...this.files.files]) });
    this.attached = h("ul", { class: "attached" });
    this.estimate = h("p", { class: "estimate", id: "estimate" });
    this.more = h("details", { class: "more" }, h("summary", {}, "Limits and more"),
      h("div", { class: "grid" },
        field("At most, in USD", "cap", { type: "text", inputMode: "decimal", placeholder: "0.10", oninput: later }, "Nothing is spent beyond it."),
        field("Tokens for each answer", "max-tokens", { type: "number", min: 1, placeholder: "1000", oninput: later }),
        field("Enough answers", "quorum", { type: "number", min: 1, oninput: later }, "Then the others are stopped."),
        field("Seconds at most", "deadline", { type: "number", min: 1, oninput: later }),
        choice("Files too long for a model", "fit", FITS.map((mode) => [mode]), { onchange: later }),
        h("div", { class: "field check" }, h("input", { type: "checkbox", id: "fresh" }), h("label", { htmlFor: "fresh" }, "Ask anew, also what was asked before"))),
      field("System prompt", "system", { rows: 2, oninput: later }));
    this.button = h("button", { class: "main", type: "submit" }, "Ask");
    return h("form", { class: "ask-form", "aria-label": "Question", onsubmit: (event) => this.submit(event) },
      h("label", { htmlFor: "prompt" }, "Question"), this.prompt,
      h("div", { class: "row wide" },
        h("div", { class: "field" }, h("label", { htmlFor: "cocktail" }, "Who answers"), this.cocktail),
        this.modelsField,
        h("div", { class: "field" }, h("label", { htmlFor: "files" }, "Files it is about"), this.files),
        h("div", { class: "field send" }, this.button, h("small", {}, "Ctrl+Enter"))),
      this.attached, this.estimate, this.more);
  }

  async start(runId) {
    this.prompt.value = sessionStorage.getItem(DRAFT) ?? "";
    try {
      const { data } = await api("GET", "/v1/models");
      this.fillModels(data);
    } catch (error) {
      this.fail(error);
    }
    if (runId) await this.open(runId);
    else this.prompt.focus();
    this.planSoon();
  }

  fillModels(rows) {
    const cocktails = rows.filter((row) => row.id.startsWith("ultrai/"));
    const order = (row) => (row.id === "ultrai/auto" ? 0 : 1);
    this.cocktail.replaceChildren(
      ...cocktails.sort((a, b) => order(a) - order(b)).map((row) => {
        const slots = row.ultrai?.slots?.length;
        return h("option", { value: row.ultrai?.cocktail ?? row.id }, slots ? `${row.ultrai.cocktail} · ${many(slots, "model")}` : "the one that suits the question");
      }),
      h("option", { value: "" }, "models by name …"));
    this.modelsField.querySelector("datalist").replaceChildren(
      ...rows.filter((row) => !row.id.startsWith("ultrai/")).map((row) => h("option", { value: row.id })));
    const kept = sessionStorage.getItem("ultrai.cocktail");
    if (kept !== null && [...this.cocktail.options].some((option) => option.value === kept)) this.cocktail.value = kept;
    this.showModels();
  }

  showModels() {
    this.modelsField.hidden = this.cocktail.value !== "";
    sessionStorage.setItem("ultrai.cocktail", this.cocktail.value);
  }

  async attach(files) {
    for (const file of files) {
      try {
        const read = await textOf(file);
        this.documents.push({ name: read.name, text: read.text, remark: read.remark });
        announce(`${file.name} is attached.`);
      } catch (error) {
        this.fail({ title: `${file.name} was left out. `, message: error.message });
      }
    }
    this.files.value = "";
    this.showAttached();
    this.planSoon();
  }

  showAttached() {
    this.attached.replaceChildren(...this.documents.map((document, place) => h("li", {},
      `${document.name} (${document.text.length.toLocaleString("en")} characters${document.remark ? `; ${document.remark}` : ""}) `,
      h("button", { type: "button", "aria-label": `Remove ${document.name}`, onclick: () => { this.documents.splice(place, 1); this.showAttached(); this.planSoon(); } }, "Remove"))));
  }

  value(id) {
    return this.form.querySelector(`#${id}`).value.trim();
  }

  body() {
    const body = { prompt: this.prompt.value };
    if (this.cocktail.value) body.cocktail = this.cocktail.value;
    else body.models = this.models.value.split(/[\s,]+/).filter(Boolean);
    const numbers = { "max-tokens": "max_tokens", quorum: "quorum", deadline: "deadline_s" };
    for (const [id, name] of Object.entries(numbers)) if (this.value(id)) body[name] = Number(this.value(id));
    if (this.value("cap")) body.max_cost_usd = this.value("cap").replace(/^\$/, "");
    if (this.value("system")) body.system = this.value("system");
    if (this.documents.length) {
      body.documents = this.documents.map(({ name, text }) => ({ name, text }));
      body.fit = this.value("fit");
    }
    if (this.form.querySelector("#fresh").checked) body.cache = false;
    return body;
  }

  isComplete() {
    return this.prompt.value.trim() && (this.cocktail.value || this.models.value.trim());
  }

  planSoon() {
    sessionStorage.setItem(DRAFT, this.prompt.value);
    clearTimeout(this.planning);
    this.planning = setTimeout(() => this.plan(), PLAN_AFTER_MS);
  }

  async plan() {
    if (!this.isComplete()) {
      this.estimate.textContent = "";
      return;
    }
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const plan = await api("POST", "/v1/plan", { body: this.body(), signal: this.asked.signal });
      const { expected, high } = plan.cost_usd;
      const money = high === null ? "no price known" : Number(high) === 0 ? "costs nothing" : `expected ${usd(expected ?? high)}, at most ${usd(high)} for one attempt each`;
      const time = plan.expected_ms ? ` · usually ${span(plan.expected_ms)}` : "";
      const ready = plan.slots.filter((slot) => slot.candidates.some((candidate) => candidate.ready)).length;
      const lacking = ready < plan.slots.length ? ` · ${many(plan.slots.length - ready, "slot")} without a ready model` : "";
      const prospect = plan.prospect;
      const limits = prospect && prospect.verdict !== "fits" ? ` · ${prospect.message ?? ""}${prospect.hint ? `: ${prospect.hint}` : ""}` : "";
      this.estimate.className = prospect?.verdict === "refused" ? "estimate bad" : "estimate";
      this.estimate.textContent = `${many(plan.slots.length, "model")} · ${money}${time}${lacking}${limits}`;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.estimate.className = "estimate bad";
      this.estimate.textContent = error.message;
    }
  }

  async submit(event) {
    event.preventDefault();
    if (this.button.disabled) return;
    if (!this.isComplete()) {
      this.fail({ message: this.prompt.value.trim() ? "Name at least one model." : "Write a question first." });
      (this.prompt.value.trim() ? this.models : this.prompt).focus();
      return;
    }
    await this.ask(this.body());
  }

  async ask(body) {
    this.button.disabled = true;
    this.problems.replaceChildren();
    try {
      const report = await api("POST", "/v1/runs", { body, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) } });
      this.show(report, body.max_cost_usd ?? null);
    } catch (error) {
      this.fail(error);
    } finally {
      this.button.disabled = false;
    }
  }

  /** A run by its id: one that goes on is joined, one that is over is shown. */
  async open(runId) {
    try {
      const report = await api("GET", `/v1/runs/${runId}`);
      this.prompt.value ||= questionOf(report);
      this.show(report, null);
    } catch (error) {
      this.fail(error);
    }
  }

  show(report, cap) {
    this.leaving.abort();
    this.leaving = new AbortController();
    this.board?.destroy();
    this.next.replaceChildren();
    history.replaceState(null, "", `#/ask/${report.id}`);
    const actions = actionsFor(report.id, {
      onRun: (other) => this.show(other, cap),
      onProblem: (error) => this.fail(error),
    });
    const board = new RunBoard(this.live, { actions, cap });
    this.board = board;
    this.live.scrollIntoView({ block: "nearest" });
    if (report.status !== "running") {
      board.finish(report);
      this.offerMore(board);
      return;
    }
    board.plan(report.slots);
    board.draw();
    announce(`${many(report.slots.length, "model")} asked`);
    follow(report.id, (event) => {
      board.take(event);
      if (event.type === "report") this.offerMore(board);
    }, {
      signal: this.leaving.signal,
      lost: (count) => { if (count === 2) this.fail({ title: "The connection is lost. ", message: "The run goes on without it, and is joined again as soon as the server answers." }); },
    }).then(() => this.problems.querySelector(".lost")?.remove(), (error) => this.fail(error));
  }

  offerMore(board) {
    const { report } = board;
    announce(`${report.status}: ${report.slots.filter((slot) => slot.answer).length} of ${report.slots.length} answered`);
    const answered = report.slots.filter((slot) => slot.answer);
    const text = h("textarea", { id: "follow-up", rows: 2 });
    const ask = (slots) => {
      if (!text.value.trim()) { text.focus(); return; }
      this.ask(followUp(report, slots, text.value, this.value("cap")));
    };
    this.next.replaceChildren(
      ...(answered.length ? [h("form", { class: "follow", "aria-label": "Follow-up", onsubmit: (event) => { event.preventDefault(); ask(answered); } },
        h("label", { htmlFor: "follow-up" }, "Ask further"), text,
        h("div", { class: "row" },
          answered.length > 1 ? h("button", { type: "submit", class: "main" }, "Ask all; each sees all answers") : null,
          answered.map((slot) => h("button", { type: "button", onclick: () => ask([slot]) }, `Ask only ${slot.answered_by}`))))] : []),
      h("div", { class: "row" }, board.exports(), h("a", { class: "button", href: `#/history/${report.id}` }, "In the history")));
  }

  fail(error) {
    this.problems.replaceChildren(problem(error, h("button", { type: "button", onclick: () => this.problems.replaceChildren() }, "Close")));
  }
}

/** The conversation so far, with the answers of these slots, and one more question. */
function followUp(report, slots, question, cap) {
  const said = slots.length === 1
    ? slots[0].answer.text
    : slots.map((slot) => `## ${slot.answered_by}\n\n${slot.answer.text}`).join("\n\n");
  const earlier = report.query.messages.map(({ role, content }) => ({ role, content: String(content) }));
  const body = {
    messages: [...earlier, { role: "assistant", content: said }, { role: "user", content: question }],
    max_tokens: report.query.max_tokens,
  };
  if (slots.length > 1 && report.cocktail) body.cocktail = report.cocktail;
  else body.models = slots.map((slot) => slot.answered_by);
  if (cap) body.max_cost_usd = cap;
  return body;
}
