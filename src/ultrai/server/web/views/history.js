// History: past runs, one of them opened, two answers compared.

import { api } from "/web/api.js";
import { announce, badge, h, moment, problem, table, usd } from "/web/parts.js";
import { questionOf, RunBoard } from "/web/run.js";

const SEARCH_AFTER_MS = 250;
const MOST_WORDS = 1500;

export function mount(place, [runId, left, right]) {
  if (!runId) return list(place);
  return left === undefined ? open(place, runId) : compare(place, runId, Number(left), Number(right));
}

function list(place) {
  const words = h("p", { class: "words" }, "");
  const rows = h("div", {});
  let waiting;
  const search = h("input", { id: "search", type: "search", placeholder: "words of the question or an answer", oninput: () => { clearTimeout(waiting); waiting = setTimeout(load, SEARCH_AFTER_MS); } });
  place.replaceChildren(h("h1", {}, "History"), h("div", { class: "row" }, h("div", { class: "field" }, h("label", { htmlFor: "search" }, "Search"), search)), words, rows);

  async function load() {
    try {
      const query = search.value.trim();
      const { runs } = await api("GET", `/v1/runs?limit=100${query ? `&q=${encodeURIComponent(query)}` : ""}`);
      words.textContent = runs.length ? `${runs.length === 100 ? "the newest 100" : runs.length} run${runs.length === 1 ? "" : "s"}` : query ? "No run has these words." : "Nothing was asked yet.";
      announce(words.textContent);
      rows.replaceChildren(runs.length ? table("Past runs", [
        { title: "Question" }, { title: "When (UTC)" }, { title: "Who" }, { title: "State" }, { title: "Cost", number: true },
      ], runs.map((run) => [
        h("a", { href: `#/history/${run.id}` }, brief(run.prompt)), moment(run.created_at), run.cocktail ?? "models",
        badge(run.status), usd(run.cost_usd, { atMost: !run.cost_known }),
      ])) : "");
    } catch (error) {
      rows.replaceChildren(problem(error));
    }
  }
  load();
  return () => clearTimeout(waiting);
}

const brief = (text) => (text.length > 120 ? `${text.slice(0, 119)}…` : text || "(no text)");

function open(place, runId) {
  const live = h("div", { class: "live" });
  const below = h("div", {});
  let board;
  place.replaceChildren(live, below);
  api("GET", `/v1/runs/${runId}`).then((report) => {
    board = new RunBoard(live);
    board.finish(report);
    const question = questionOf(report);
    const answered = report.slots.filter((slot) => slot.answer);
    place.prepend(
      h("p", {}, h("a", { href: "#/history" }, "← History")),
      h("h1", { class: "question" }, brief(question)),
      question.length > 120 ? h("details", {}, h("summary", {}, "The whole question"), h("div", { class: "plain" }, question)) : "",
      h("p", { class: "why" }, `${report.cocktail ?? "models"} · ${moment(report.created_at)} UTC · ${report.id}`));
    below.replaceChildren(
      h("div", { class: "row" },
        h("button", { type: "button", onclick: () => again(report) }, "Ask again"),
        report.status === "running" ? h("a", { class: "button", href: `#/ask/${report.id}` }, "Watch it") : "",
        board.exports()),
      answered.length > 1 ? comparing(report, answered) : "");
  }, (error) => live.replaceChildren(problem(error, h("a", { class: "button", href: "#/history" }, "Back to the history"))));
  return () => board?.destroy();
}

function again(report) {
  sessionStorage.setItem("ultrai.draft", questionOf(report));
  if (report.cocktail) sessionStorage.setItem("ultrai.cocktail", report.cocktail);
  location.hash = "#/ask";
}

function comparing(report, answered) {
  const options = (chosen) => answered.map((slot) => h("option", { value: slot.index, selected: slot.index === chosen }, `${slot.index + 1} ${slot.answered_by}`));
  const [left, right] = [h("select", { id: "left" }, options(answered[0].index)), h("select", { id: "right" }, options(answered[1].index))];
  return h("form", { class: "row", "aria-label": "Compare", onsubmit: (event) => { event.preventDefault(); location.hash = `#/history/${report.id}/${left.value}/${right.value}`; } },
    h("div", { class: "field" }, h("label", { htmlFor: "left" }, "Compare"), left),
    h("div", { class: "field" }, h("label", { htmlFor: "right" }, "with"), right),
    h("div", { class: "field send" }, h("button", { type: "submit" }, "Show the difference")));
}

function compare(place, runId, left, right) {
  place.replaceChildren(h("p", {}, "Comparing …"));
  api("GET", `/v1/runs/${runId}`).then((report) => {
    const [a, b] = [report.slots[left], report.slots[right]];
    if (!a?.answer || !b?.answer) throw new Error("One of the two has no answer.");
    const [there, here] = differences(wordsOf(a.answer.text), wordsOf(b.answer.text));
    place.replaceChildren(
      h("p", {}, h("a", { href: `#/history/${runId}` }, "← The run")),
      h("h1", { class: "question" }, brief(questionOf(report))),
      h("p", { class: "why" }, "Marked is what only one of the two says: underlined and coloured."),
      h("div", { class: "columns two" }, side(a, there), side(b, here)));
  }).catch((error) => place.replaceChildren(problem(error, h("a", { class: "button", href: `#/history/${runId}` }, "Back to the run"))));
}

function side(slot, parts) {
  return h("section", { class: "column chosen", "aria-label": slot.answered_by },
    h("header", {}, h("h2", {}, slot.answered_by)),
    h("div", { class: "text", tabIndex: 0, role: "group", "aria-label": "Answer" }, h("div", { class: "plain" },
      parts.map(([text, alone]) => (alone ? h("mark", {}, text) : text)))));
}

const wordsOf = (text) => text.match(/\s*\S+\s*$|\s*\S+/g) ?? [];

/** Each text in runs of words: [text, whether only this one has it]. Longest common subsequence. */
function differences(a, b) {
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) return [a, b].map((words) => unlike(words, words === a ? b : a));
  const key = (word) => word.trim().toLowerCase().replace(/[.,;:!?]+$/, "");
  const [left, right] = [a.map(key), b.map(key)];
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = left[i] === right[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const [alone, beside] = [a.map(() => true), b.map(() => true)];
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) { alone[i] = beside[j] = false; i += 1; j += 1; }
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return [joined(a, alone), joined(b, beside)];
}

/** For texts too long for that: words that the other one has nowhere. */
function unlike(words, other) {
  const known = new Set(other.map((word) => word.trim().toLowerCase()));
  return joined(words, words.map((word) => !known.has(word.trim().toLowerCase())));
}

function joined(words, flags) {
  const parts = [];
  words.forEach((word, place) => {
    if (parts.length && parts.at(-1)[1] === flags[place]) parts.at(-1)[0] += word;
    else parts.push([word, flags[place]]);
  });
  return parts;
}
