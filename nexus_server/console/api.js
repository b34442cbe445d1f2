// The platform's API. The key stays in this tab (sessionStorage), and is sent to this page's own origin only.

const BASE = "/api/v1";
const KEY_NAME = "nexus.key";
const KEY = /^nxs_[0-9a-f]{12}_[A-Za-z0-9_-]{22,128}$/;

export const isKey = (text) => KEY.test(text);
export const getKey = () => sessionStorage.getItem(KEY_NAME);
export const setKey = (key) => sessionStorage.setItem(KEY_NAME, key);
export const forgetKey = () => sessionStorage.removeItem(KEY_NAME);

/** The key without its secret part, to be shown. */
export const maskedKey = (key) => `${key.slice(0, 16)}_••••••••`;

/**
 * Take a key out of the address (`#key=…`), so that it neither stays there nor goes anywhere. It gives the key, "" where
 * what stands there is none, and null where nothing does.
 */
export function takeKeyFromAddress() {
  const match = /^#key=([^&]*)/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, "", location.pathname);
  const key = decodeSafely(match[1]).trim();
  return isKey(key) ? key : "";
}

function decodeSafely(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export class ApiError extends Error {
  constructor(status, code, detail, { retryAfter = null, requestId = null } = {}) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfter, requestId });
  }
}

/** Ask the platform, and return the answer's JSON (null where there is none). */
export async function call(method, path, body, options = {}) {
  const response = await send(method, path, body, options);
  return response.status === 204 ? null : response.json();
}

export async function send(method, path, body, { signal, prefer } = {}) {
  const headers = { Authorization: `Bearer ${getKey() ?? ""}` };
  if (prefer) headers.Prefer = prefer;
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  const payload = body === undefined || isForm ? body : JSON.stringify(body);
  const response = await reach(BASE + path, { method, headers, body: payload, signal });
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function reach(url, request) {
  try {
    return await fetch(url, { ...request, credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "UNREACHABLE", error.message);
  }
}

async function errorOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not the platform's own error: the status says what there is to say.
  }
  const details = {
    retryAfter: Number(response.headers.get("Retry-After")) || null,
    requestId: response.headers.get("X-Request-ID"),
  };
  return new ApiError(response.status, body.error_code ?? "UNKNOWN", sentence(body.detail), details);
}

function sentence(detail) {
  if (!Array.isArray(detail)) return detail ?? "";
  return detail.map((fault) => `${fault.loc.filter((part) => part !== "body").join(".")}: ${fault.msg}`).join("; ");
}

/** The events of a stream, as objects. One that ends without `[DONE]` was cut, and raises. */
export async function* events(path, body, signal) {
  const response = await send("POST", path, { ...body, stream: true }, { signal });
  for await (const data of dataOf(response.body.pipeThrough(new TextDecoderStream()))) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new ApiError(200, event.error.code, event.error.message);
    yield event;
  }
  throw new ApiError(0, "CUT", "");
}

async function* dataOf(stream) {
  const reader = stream.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await readSafely(reader);
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
    }
  }
}

async function readSafely(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "CUT", "");
  }
}

/** Hand work over as a task, follow it to its end, and return it completed. */
export async function runTask(body, { signal, onProgress }) {
  const accepted = await call("POST", "/invoke", body, { signal, prefer: "respond-async" });
  return followTask(accepted.task_id, { signal, onProgress });
}

/** Follow a task to its end. Leaving it (the signal) cancels it. */
export async function followTask(taskId, { signal, onProgress }) {
  const path = `/tasks/${encodeURIComponent(taskId)}`;
  const cancel = () => call("POST", `${path}/cancel`).catch(() => {}); // it may have ended meanwhile
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      const task = await call("GET", path, undefined, { signal, prefer: "wait=1" });
      onProgress?.(task);
      if (task.status === "completed") return task;
      if (task.status === "failed") throw new ApiError(200, task.error?.code ?? "FAILED", task.error?.message ?? "");
      if (task.status === "cancelled") throw new DOMException("cancelled", "AbortError");
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

export function upload(file, name, { signal } = {}) {
  const form = new FormData();
  form.append("file", file, name ?? file.name);
  return call("POST", "/files", form, { signal });
}

/** The bytes of a file that a task made; only the path of its address is used: the key goes nowhere else. */
export async function contentOf(address, { signal } = {}) {
  const id = /\/files\/([A-Za-z0-9_-]+)\/content$/.exec(new URL(address, location.origin).pathname)?.[1];
  if (!id) throw new ApiError(0, "UNKNOWN", address);
  return (await send("GET", `/files/${id}/content`, undefined, { signal })).blob();
}

export const isAbort = (error) => error?.name === "AbortError";
