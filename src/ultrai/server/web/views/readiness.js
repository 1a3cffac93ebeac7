// Readiness: which models of the cocktails can be asked now, and if not, why.

import { api } from "/web/api.js";
import { announce, badge, choice, h, many, problem, span, table } from "/web/parts.js";

const ALL = "";

export function mount(place) {
  const view = { rows: [], shown: ALL };
  const words = h("p", { class: "words" }, "Looking …");
  const refresh = h("button", { type: "button", onclick: () => load(true) }, "Look again");
  const filter = choice("Cocktail", "readiness-cocktail", [[ALL, "all"]], { onchange: (event) => { view.shown = event.target.value; draw(); } });
  const board = h("div", {});
  place.replaceChildren(h("h1", {}, "Readiness"), h("div", { class: "row" }, filter, refresh), words, board);

  async function load(again) {
    refresh.disabled = true;
    try {
      view.rows = (await api("GET", `/v1/readiness${again ? "?refresh=1" : ""}`)).models;
      const names = [...new Set(view.rows.flatMap((row) => row.cocktails))];
      filter.querySelector("select").replaceChildren(
        ...[[ALL, "all"], ...names.map((name) => [name, name])].map(([value, text]) => h("option", { value, selected: value === view.shown }, text)));
      draw();
      announce(words.textContent);
    } catch (error) {
      words.textContent = "";
      board.replaceChildren(problem(error));
    } finally {
      refresh.disabled = false;
    }
  }

  function draw() {
    const rows = view.rows.filter((row) => view.shown === ALL || row.cocktails.includes(view.shown));
    const ready = rows.filter((row) => row.ready).length;
    words.textContent = `${ready} of ${many(rows.length, "model")} ready`;
    board.replaceChildren(table("Models of the cocktails", [
      { title: "Model" }, { title: "Ready" }, { title: "Cocktails" }, { title: "Window", number: true },
      { title: "$ per million, in / out", number: true }, { title: "First token", number: true }, { title: "Answer", number: true },
    ], rows.map((row) => [
      row.model, verdict(row), row.cocktails.join(", "),
      row.context_length?.toLocaleString("en") ?? "–",
      row.prompt_usd_per_million === null ? "unknown" : `${row.prompt_usd_per_million} / ${row.completion_usd_per_million}`,
      span(row.first_token_ms.p50), span(row.total_ms.p50),
    ])));
  }

  load(false);
}

function verdict(row) {
  if (row.ready) return badge("ready");
  const instead = row.serves_instead ? `; ${row.serves_instead} serves instead` : "";
  return h("div", {}, badge("not_ready", row.reason?.replaceAll("_", " ")), h("div", { class: "why" }, `${row.message}${instead}`));
}
