// Small pieces that all views are made of. Text is always set as text.

/** An element: properties, `class`, `data-*`, `aria-*`, `on*` listeners, then children. */
export function h(tag, properties = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !tag.startsWith("svg:") && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const STATES = {
  queued: ["…", "waiting", "calm"],
  pending: ["…", "waiting", "calm"],
  running: ["●", "at work", "live"],
  connecting: ["◌", "connecting", "live"],
  thinking: ["◍", "thinking", "live"],
  streaming: ["●", "answering", "live"],
  retrying: ["↻", "trying again", "odd"],
  answered: ["✓", "answered", "good"],
  failed: ["✗", "failed", "bad"],
  cancelled: ["■", "stopped", "calm"],
  skipped: ["–", "skipped", "calm"],
  complete: ["✓", "complete", "good"],
  degraded: ["◐", "degraded", "odd"],
  refused: ["✗", "refused", "bad"],
  interrupted: ["■", "interrupted", "odd"],
  ready: ["✓", "ready", "good"],
  not_ready: ["✗", "not ready", "bad"],
};

/** A state as icon and word, never as a colour alone. */
export function badge(state, word) {
  const [icon, usual, kind] = STATES[state] ?? ["?", state, "calm"];
  return h("span", { class: `badge ${kind}` }, h("span", { "aria-hidden": "true" }, icon), ` ${word ?? usual}`);
}

/** `$0.0104`; unknown is never `$0`. */
export function usd(text, { atMost = false } = {}) {
  if (text === null || text === undefined) return "unknown";
  const value = Number(text);
  if (value === 0) return "$0";
  const places = value >= 0.01 ? 4 : Math.min(9, 2 - Math.floor(Math.log10(Math.abs(value))));
  let words = value.toFixed(places);
  while (words.endsWith("0") && words.split(".")[1].length > 2) words = words.slice(0, -1);
  return `${atMost ? "≤ " : ""}$${words}`;
}

export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${ms} ms`;
  const s = ms / 1000;
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

export const many = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

export const moment = (text) => (text ? text.slice(0, 16).replace("T", " ") : "–");

/** What went wrong and what can be done, where it happened. */
export function problem(error, ...actions) {
  const advice = error.advice && !error.message?.includes(error.advice) ? ` ${error.advice}` : "";
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, h("strong", {}, error.title ?? "That did not work. "), `${error.message}${advice}`),
    actions.length ? h("div", { class: "row" }, actions) : null);
}

/** A table that scrolls by itself where it is too wide. */
export function table(caption, columns, rows) {
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) =>
        h("th", { scope: "col", class: column.number ? "number" : "" }, column.title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, place) =>
        h(place === 0 ? "th" : "td", { class: columns[place].number ? "number" : "", scope: place === 0 ? "row" : null }, cell)))))));
}

/** Offer a text as a file. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

let waiting;

/** Say something to a screen reader, at most once a second. */
export function announce(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { document.getElementById("status").textContent = text; }, 300);
}

/** What a select or a radio group of choices is made of. */
export function choice(label, id, options, properties = {}) {
  return h("div", { class: "field" }, h("label", { for: id, htmlFor: id }, label),
    h("select", { id, ...properties }, options.map(([value, text, selected]) =>
      h("option", { value, selected: Boolean(selected) }, text ?? value))));
}

export function field(label, id, properties = {}, hint = "") {
  const tag = properties.rows ? "textarea" : "input";
  return h("div", { class: "field" }, h("label", { htmlFor: id }, label),
    h(tag, { id, "aria-describedby": hint ? `${id}-hint` : null, ...properties }),
    hint ? h("small", { id: `${id}-hint` }, hint) : null);
}
