// Cost: what was spent, by day, model, key or tag; and how far the budgets reach.

import { api } from "/web/api.js";
import { announce, choice, h, many, moment, problem, table, usd } from "/web/parts.js";

const BY = [["day", "day"], ["model", "model"], ["provider", "provider"], ["key", "key of the upstream"], ["tag", "tag"], ["user", "user"], ["feature", "feature"]];
const DAYS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]];
const [WIDTH, HEIGHT, FOOT] = [640, 160, 18];

export function mount(place) {
  const wanted = { by: "day", days: "30" };
  const sum = h("p", { class: "words" }, "Reckoning …");
  const board = h("div", {});
  const budgets = h("div", { class: "cards" });
  place.replaceChildren(
    h("h1", {}, "Cost"),
    h("div", { class: "row" },
      choice("By", "cost-by", BY, { onchange: (event) => { wanted.by = event.target.value; load(); } }),
      choice("Of the last", "cost-days", DAYS.map(([value, text]) => [value, text, value === wanted.days]), { onchange: (event) => { wanted.days = event.target.value; load(); } })),
    sum, board, h("h2", {}, "Budgets"), budgets);

  async function load() {
    try {
      const costs = await api("GET", `/v1/costs?by=${wanted.by}&days=${wanted.days}`);
      const { total } = costs;
      sum.textContent = `${usd(total.cost_usd)} for ${many(total.answers, "answer")} in ${many(total.attempts, "attempt")} since ${costs.since}`
        + (total.unknown ? `; ${many(total.unknown, "cost")} not known yet, at most ${usd(total.unknown_usd_at_most)} more` : "");
      announce(sum.textContent);
      board.replaceChildren(...(costs.groups.length ? [wanted.by === "day" ? bars(everyDay(costs)) : "", groups(costs)] : [h("p", {}, "Nothing was spent in this time.")]));
      budgets.replaceChildren(...(costs.budgets.length ? costs.budgets.map(card)
        : [h("p", {}, "There is no budget. Set one: ", h("code", {}, "ultrai budget set"))]));
    } catch (error) {
      sum.textContent = "";
      board.replaceChildren(problem(error));
      budgets.replaceChildren();
    }
  }
  load();
}

function groups(costs) {
  const most = Math.max(...costs.groups.map((row) => Number(row.cost_usd ?? 0)), Number.MIN_VALUE);
  return table(`Costs by ${costs.by}`, [
    { title: costs.by }, { title: "Cost", number: true }, { title: "Share" }, { title: "Answers", number: true },
    { title: "Attempts", number: true }, { title: "Tokens in", number: true }, { title: "Tokens out", number: true },
  ], costs.groups.map((row) => [
    row.group ?? "none", usd(row.cost_usd),
    h("meter", { min: 0, max: most, value: Number(row.cost_usd ?? 0), "aria-label": `share of the dearest ${costs.by}` }),
    row.answers.toLocaleString("en"), row.attempts.toLocaleString("en"),
    row.prompt_tokens.toLocaleString("en"), row.completion_tokens.toLocaleString("en"),
  ]));
}

/** All days of the time, also those without a cost. */
function everyDay(costs) {
  const known = new Map(costs.groups.map((row) => [row.group, row]));
  const days = [];
  const last = Math.max(Date.now(), ...costs.groups.map((row) => Date.parse(row.group)));
  for (let at = Date.parse(costs.since); at <= last; at += 86_400_000) {
    const group = new Date(at).toISOString().slice(0, 10);
    days.push(known.get(group) ?? { group, cost_usd: "0" });
  }
  return days;
}

/** A bar for each day; the table below says the same in figures. */
function bars(rows) {
  const most = Math.max(...rows.map((row) => Number(row.cost_usd ?? 0)), Number.MIN_VALUE);
  const step = WIDTH / rows.length;
  return h("svg:svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Cost by day, at most ${usd(most)} on one` },
    rows.map((row, place) => {
      const height = ((HEIGHT - FOOT) * Number(row.cost_usd ?? 0)) / most;
      return h("svg:rect", { x: place * step + 1, width: Math.max(1, Math.min(40, step - 2)), y: HEIGHT - FOOT - height, height: Number(row.cost_usd ?? 0) ? Math.max(1, height) : 0, class: "bar" },
        h("svg:title", {}, `${row.group}: ${usd(row.cost_usd)}`));
    }),
    h("svg:text", { x: 0, y: HEIGHT - 4 }, rows[0].group),
    rows.length > 1 ? h("svg:text", { x: WIDTH, y: HEIGHT - 4, "text-anchor": "end" }, rows.at(-1).group) : "");
}

function card(budget) {
  const [limit, spent, held] = [budget.limit_usd, budget.spent_usd, budget.held_usd].map(Number);
  const percent = Math.round((100 * (spent + held)) / limit);
  const lasts = budget.out_at === null ? "at this pace it is not used up"
    : budget.too_fast ? `at this pace it is used up on ${moment(budget.out_at)} UTC, before the period ends` : "at this pace it lasts";
  return h("section", { class: "card", "aria-label": `Budget ${budget.name}` },
    h("h3", {}, budget.name),
    h("progress", { max: 100, value: Math.min(100, percent), "aria-label": `${percent} % used` }),
    h("p", {}, `${usd(budget.spent_usd)} spent`, held ? `, ${usd(budget.held_usd)} held` : "", `, ${usd(budget.left_usd)} left of ${usd(budget.limit_usd)}${budget.ends ? `; until ${moment(budget.ends)} UTC` : ""}`),
    burn(budget),
    h("p", { class: budget.too_fast ? "why bad" : "why" }, lasts));
}

/** What was spent up to each moment, against the limit. */
function burn(budget) {
  const points = budget.points.map(([at, sum]) => [Date.parse(at), Number(sum)]);
  const from = Date.parse(budget.began);
  const to = budget.ends ? Date.parse(budget.ends) : Math.max(Date.now(), from + 1);
  if (!points.length || !(to > from)) return "";
  const x = (at) => (WIDTH * (at - from)) / (to - from);
  const y = (sum) => HEIGHT - FOOT - ((HEIGHT - FOOT - 6) * sum) / Number(budget.limit_usd);
  let path = `M0 ${y(0)}`;
  for (const [at, sum] of points) path += `H${x(at).toFixed(1)}V${y(sum).toFixed(1)}`;
  path += `H${x(Math.min(Date.now(), to)).toFixed(1)}`;
  return h("svg:svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `How ${budget.name} is used up` },
    h("svg:line", { x1: 0, x2: WIDTH, y1: y(Number(budget.limit_usd)), y2: y(Number(budget.limit_usd)), class: "limit" }),
    h("svg:path", { d: path, class: "line" }));
}
