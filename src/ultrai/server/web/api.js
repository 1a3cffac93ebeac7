// Everything that is asked of the server: JSON, safe HTML, and the events of a run.

const KEY = "ultrai.access-key";
const policy = globalThis.trustedTypes?.createPolicy("ultrai", { createHTML: (html) => html });
const patienceMs = [300, 1000, 2000, 5000];

export class ApiError extends Error {
  constructor(status, code, message, about) {
    super(message);
    this.status = status;
    this.code = code;
    this.about = about;
  }
}

export const accessKey = () => sessionStorage.getItem(KEY);

export function keepAccessKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

let wantKey = () => {};

/** Call back when the server wants an access key, with its reason. */
export function onKeyWanted(callback) {
  wantKey = callback;
}

async function send(method, path, { body, raw, headers = {}, signal } = {}) {
  const key = accessKey();
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal, body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", "The server does not answer. Is `ultrai serve` running?");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  const error = said.error ?? { code: "http_error", message: `The server says ${response.status}.` };
  if (response.status === 401) wantKey(error.message);
  throw new ApiError(response.status, error.code, error.message, said.ultrai);
}

/** The JSON that the server answers. Throws ApiError. */
export async function api(method, path, options) {
  return (await send(method, path, options)).json();
}

/** Markdown as nodes: rendered and cleaned by the server, parsed where no script runs. */
export async function nodesOf(text) {
  const { html } = await api("POST", "/v1/render", { body: { text } });
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  for (const link of template.content.querySelectorAll("a")) link.target = "_blank";
  return template.content;
}

/** The text of a file, as the server reads it. */
export async function textOf(file) {
  return api("POST", `/v1/documents?name=${encodeURIComponent(file.name)}`, { raw: file });
}

/**
 * Hand every event of a run to `take`, from the first to its report, whatever the connection does.
 * `lost` hears when it has to be made anew.
 */
export async function follow(runId, take, { signal, lost = () => {} } = {}) {
  let last = -1;
  let failures = 0;
  while (!signal?.aborted) {
    try {
      const headers = last < 0 ? {} : { "Last-Event-ID": String(last) };
      const response = await send("GET", `/v1/runs/${runId}/events`, { headers, signal });
      if (response.status === 204) return;
      for await (const event of eventsIn(response.body)) {
        failures = 0;
        last = Math.max(last, event.last_seq ?? event.seq);
        take(event);
        if (event.type === "report") return;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
    }
    lost(failures);
    const waitMs = patienceMs[Math.min(failures, patienceMs.length - 1)];
    failures += 1;
    await new Promise((done) => setTimeout(done, waitMs));
  }
}

// https://html.spec.whatwg.org/multipage/server-sent-events.html; ours have one line of data each.
async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const frames = buffer.split("\n\n");
    buffer = frames.pop();
    for (const frame of frames) {
      const data = frame.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}
