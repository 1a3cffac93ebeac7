// The frame: which view is shown, and the access key.

import { accessKey, keepAccessKey, onKeyWanted } from "/web/api.js";
import { announce, h, problem } from "/web/parts.js";

const VIEWS = {
  ask: ["Ask", () => import("/web/views/ask.js")],
  readiness: ["Readiness", () => import("/web/views/readiness.js")],
  cost: ["Cost", () => import("/web/views/cost.js")],
  history: ["History", () => import("/web/views/history.js")],
};
const main = document.getElementById("main");
const dialog = document.getElementById("key-dialog");
const keyField = document.getElementById("key-field");
const keyReason = document.getElementById("key-reason");
let leave = () => {};
let shown = 0;

async function show() {
  const [, name = "ask", ...rest] = location.hash.split("/");
  const [title, load] = VIEWS[name] ?? VIEWS.ask;
  const mine = (shown += 1);
  leave();
  leave = () => {};
  document.title = `${title} – UltrAI`;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === (VIEWS[name] ? name : "ask")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const place = h("div", { class: `view ${name}` });
  main.replaceChildren(place);
  try {
    const view = await load();
    if (mine !== shown) return;
    leave = view.mount(place, rest.map(decodeURIComponent)) ?? leave;
  } catch (error) {
    place.replaceChildren(problem(error, h("button", { type: "button", onclick: show }, "Try again")));
  }
}

function askForKey(reason) {
  if (dialog.open) return;
  keyReason.textContent = reason ? `${reason}. It is kept in this tab only.` : keyReason.textContent;
  keyField.value = accessKey() ?? "";
  dialog.showModal();
}

dialog.addEventListener("close", () => {
  if (dialog.returnValue === "save") keepAccessKey(keyField.value.trim());
  if (dialog.returnValue === "forget") keepAccessKey("");
  keyField.value = "";
  if (dialog.returnValue === "save" || dialog.returnValue === "forget") {
    announce(accessKey() ? "The access key is used from now on." : "The access key is forgotten.");
    show();
  }
});
document.getElementById("key-button").addEventListener("click", () => askForKey(""));
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
onKeyWanted(askForKey);
addEventListener("hashchange", () => { if (location.hash.startsWith("#/")) { show(); main.focus({ preventScroll: true }); } });
show();
