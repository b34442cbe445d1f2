// Small parts that the views share.
import { ApiError, isAbort } from "./api.js";
import { html, useCallback, useEffect, useId, useRef, useState } from "./dom.js";
import { t } from "./i18n.js";

const ICONS = {
  chat: "M4 5h16v11H9l-5 4z",
  images: "M4 5h16v14H4z M4 16l5-5 4 4 3-3 4 4 M15.5 9.5h.01",
  speech: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3z M6 11a6 6 0 0 0 12 0 M12 17v4",
  knowledge: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3z M5 17a3 3 0 0 1 3-3h11 M9 8h6",
  sessions: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z M12 7v5l3.5 2",
  tasks: "M4 6l1.5 1.5L8 5 M4 12l1.5 1.5L8 11 M4 18l1.5 1.5L8 17 M12 6h8 M12 12h8 M12 18h8",
  settings: "M8 16a4 4 0 1 1 0-8 4 4 0 0 1 0 8z M12 12h8v4 M16.5 12v3",
  send: "M12 19V5 M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h11v11H9z M5 15H4V4h11v1",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2v2 M12 20v2 M2 12h2 M20 12h2 M5 5l1.4 1.4 M17.6 17.6 19 19 M5 19l1.4-1.4 M17.6 6.4 19 5",
  dark: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  language: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z M3 12h18 M12 3c-5 5-5 13 0 18 M12 3c5 5 5 13 0 18",
  plus: "M12 5v14 M5 12h14",
  trash: "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13",
  upload: "M12 15V4 M7 9l5-5 5 5 M4 16v4h16v-4",
  record: "M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10z",
  check: "M5 12l5 5 9-10",
  back: "M15 5l-7 7 7 7",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/** What went wrong, and what to do about it. */
export function Problem({ error, children }) {
  if (!error) return null;
  const [title, hint] = explain(error);
  return html`<div class="problem" role="alert">
    <p><strong>${title}</strong></p>
    ${hint && html`<p>${hint}</p>`} ${children}
  </div>`;
}

export function explain(error) {
  if (!(error instanceof ApiError)) return [t("error.unexpected"), error.message];
  const said = error.detail || error.code;
  if (error.code === "UNREACHABLE") return [t("error.unreachable"), t("error.unreachable.hint")];
  if (error.code === "CUT") return [t("error.cut"), t("error.cut.hint")];
  if (error.status === 401) return [t("error.key"), t("error.key.hint")];
  if (error.status === 429) return [t("error.limit"), said];
  if (error.code === "CONTEXT_LENGTH_EXCEEDED") return [t("error.long"), said];
  if (error.status >= 500) return [t("error.platform"), said];
  return [t("error.refused"), said];
}

/** A line for who cannot see the page: it is read aloud when it changes. */
export const Status = ({ children }) => html`<p class="unseen" role="status">${children}</p>`;

/** Run something that may fail or be stopped: `[run, {busy, error, stop, clear}]`. */
export function useAction(work) {
  const [state, setState] = useState({ busy: false, error: null });
  const controller = useRef(null);
  const run = async (...given) => {
    controller.current?.abort();
    const mine = new AbortController();
    controller.current = mine;
    setState({ busy: true, error: null });
    let error = null;
    try {
      await work(mine.signal, ...given);
    } catch (caught) {
      error = isAbort(caught) ? null : caught;
    }
    if (controller.current === mine) setState({ busy: false, error });
  };
  const stop = useCallback(() => controller.current?.abort(), []);
  useEffect(() => stop, []);
  return [run, { ...state, stop, clear: () => setState({ busy: false, error: null }) }];
}

/** Call `work` again and again while `active` and the page is seen; it returns the pause in milliseconds. */
export function usePolling(work, active, reasons = []) {
  useEffect(() => {
    if (!active) return undefined;
    const controller = new AbortController();
    let timer = null;
    const tick = async () => {
      if (document.hidden) {
        timer = setTimeout(tick, 1000);
        return;
      }
      const pause = await work(controller.signal);
      if (!controller.signal.aborted) timer = setTimeout(tick, pause);
    };
    tick();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [active, ...reasons]);
}

export function Copy({ text }) {
  const [copied, setCopied] = useState(false);
  if (!navigator.clipboard) return null; // it is only there at https, and on this machine
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<button type="button" class="quiet small copy" onClick=${copy}>
    <${Icon} name=${copied ? "check" : "copy"} />${copied ? t("copied") : t("copy")}
  </button>`;
}

export function Code({ code, language }) {
  return html`<div class="code">
    <div class="code-head"><span>${language}</span><${Copy} text=${code} /></div>
    <pre tabindex="0" role="group" aria-label=${language || t("code")}><code>${code}</code></pre>
  </div>`;
}

/** "Show the Python": made only when it is opened. */
export function Python({ code, label = t("python.show") }) {
  const [open, setOpen] = useState(false);
  return html`<details class="python" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${label}</summary>
    ${open && html`<${Code} code=${code()} language="Python" />`}
  </details>`;
}

export function Field({ label, hint, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(id)} ${hint && html`<p class="hint">${hint}</p>`}
  </div>`;
}

export function Choice({ label, value, onChange, options }) {
  return html`<${Field} label=${label}>
    ${(id) => html`<select id=${id} value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([each, name]) => html`<option key=${each} value=${each} selected=${each === value}>${name}</option>`)}
    </select>`}
  <//>`;
}

/** Which model is to do it; nothing chosen: the platform's own choice. */
export function ModelChoice({ models, type, value, onChange }) {
  const able = models.filter((model) => model.task_types.includes(type));
  const preferred = able.find((model) => model.default_for.includes(type));
  const automatic = preferred ? t("model.automatic", { model: preferred.id }) : t("model.none");
  const options = [["", automatic], ...able.map((model) => [nameOf(model), `${model.id} · ${model.owned_by}`])];
  return html`<div class="model"><${Choice} label=${t("model")} value=${value} onChange=${onChange} options=${options} /></div>`;
}

const nameOf = (model) => `${model.owned_by}/${model.id}`;

/** The chosen model as the API takes it. */
export function modelOf(chosen) {
  const cut = chosen.indexOf("/");
  return cut < 0 ? {} : { provider: chosen.slice(0, cut), model: chosen.slice(cut + 1) };
}

/** A button that asks once more before it does what cannot be undone. */
export function Delete({ label, onConfirm, small = true }) {
  const [asked, setAsked] = useState(false);
  const press = () => {
    setAsked(!asked);
    if (asked) onConfirm();
  };
  return html`<button
    type="button"
    class=${`quiet ${small ? "small" : ""} ${asked ? "danger" : ""}`}
    aria-label=${t(asked ? "delete.sure.label" : "delete.label", { what: label })}
    onClick=${press}
    onBlur=${() => setAsked(false)}
  >
    <${Icon} name="trash" />${asked ? t("delete.sure") : t("delete")}
  </button>`;
}

export function Empty({ icon, title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;
}

export function Progress({ value, label }) {
  return html`<div class="progress">
    <progress max="100" value=${value ?? undefined} aria-label=${label}></progress>
    <span aria-hidden="true">${value == null ? "" : `${value} %`}</span>
  </div>`;
}

/** The object URL of a blob, as long as it is shown. */
export function useObjectUrl(blob) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    if (!blob) return undefined;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return blob ? url : null;
}

/** Send a form with Ctrl/Cmd and Enter from its text. */
export function submitOnEnter(event, { plain = false } = {}) {
  const meant = event.key === "Enter" && !event.isComposing && !event.shiftKey;
  if (!meant || !(plain || event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.currentTarget.form.requestSubmit();
}
