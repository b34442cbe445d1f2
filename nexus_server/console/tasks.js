// Tasks: what the platform is doing, as it happens.
import { call } from "./api.js";
import { html, useState } from "./dom.js";
import { formatTime, t } from "./i18n.js";
import { Choice, Code, Empty, Icon, Problem, Progress, Python, Status, usePolling } from "./parts.js";
import * as python from "./python.js";

const STATUSES = ["queued", "running", "completed", "failed", "cancelled"];
const TYPES = ["text_generation", "image_generation", "speech_to_text", "text_to_speech", "document_processing"];
const isOpen = (task) => ["queued", "running"].includes(task.status);

export function Tasks({ active }) {
  const [filter, setFilter] = useState({ status: "", task_type: "" });
  const [tasks, setTasks] = useState(null);
  const [error, setError] = useState(null);
  const [changes, setChanges] = useState(0);
  const query = new URLSearchParams({ ...given(filter), per_page: 50 });

  usePolling(async (signal) => {
    try {
      const found = await call("GET", `/tasks?${query}`, undefined, { signal });
      setTasks(found.tasks);
      setError(null);
      return found.tasks.some(isOpen) ? 700 : 2500;
    } catch (caught) {
      if (!signal.aborted) setError(caught);
      return (caught.retryAfter ?? 5) * 1000;
    }
  }, active, [query.toString(), changes]);
  const cancel = async (id) => {
    try {
      await call("POST", `/tasks/${encodeURIComponent(id)}/cancel`);
    } catch (caught) {
      setError(caught);
    }
    setChanges(changes + 1);
  };
  const choose = (name) => (value) => setFilter({ ...filter, [name]: value });
  const running = tasks?.filter(isOpen).length ?? 0;

  return html`
    <header class="view-head"><h1 tabindex="-1">${t("tasks.title")}</h1><span class="note">${t("tasks.live")}</span></header>
    <div class="row">
      <${Choice} label=${t("tasks.status")} value=${filter.status} onChange=${choose("status")}
        options=${[["", t("all")], ...STATUSES.map((each) => [each, t(`status.${each}`)])]} />
      <${Choice} label=${t("tasks.type")} value=${filter.task_type} onChange=${choose("task_type")}
        options=${[["", t("all")], ...TYPES.map((each) => [each, t(`type.${each}`)])]} />
    </div>
    <${Problem} error=${error} />
    <${Status}>${tasks ? t("tasks.open", { count: running }) : ""}<//>
    ${tasks?.length === 0 && html`<${Empty} icon="tasks" title=${t("tasks.empty")}><p>${t("tasks.empty.hint")}</p><//>`}
    ${tasks?.length > 0 && html`<ul class="list">${tasks.map((task) => html`<${Row} key=${task.task_id} task=${task} onCancel=${cancel} />`)}</ul>`}
    <${Python} code=${() => python.tasks({ ...given(filter), per_page: 50 })} />
  `;
}

const given = (filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value));

function Row({ task, onCancel }) {
  const [open, setOpen] = useState(false);
  const kind = t(`type.${task.task_type}`);
  return html`<li class="task">
    <div class="grow">
      <div class="task-head">
        <span class=${`chip ${task.status}`}>${t(`status.${task.status}`)}</span>
        <strong>${kind}</strong>
        <span class="note">${formatTime(task.created_at)}${duration(task)}</span>
      </div>
      ${isOpen(task) && html`<${Progress} value=${task.progress} label=${kind} />`}
      ${task.error && html`<p class="bad">${task.error.message}</p>`}
      <details onToggle=${(event) => setOpen(event.currentTarget.open)}>
        <summary>${t("tasks.details")} <span class="unseen">${task.task_id}</span></summary>
        ${open &&
        html`<${Code} code=${JSON.stringify(task, null, 2)} language="JSON" />
          <${Python} code=${() => (isOpen(task) ? python.cancel : python.task)(task.task_id)} />`}
      </details>
    </div>
    ${isOpen(task) && html`<button type="button" class="quiet small" aria-label=${t("tasks.cancel.label", { what: kind })} onClick=${() => onCancel(task.task_id)}>
      <${Icon} name="stop" />${t("tasks.cancel")}
    </button>`}
  </li>`;
}

function duration({ started_at, finished_at }) {
  if (!started_at || !finished_at) return "";
  const seconds = (new Date(finished_at) - new Date(started_at)) / 1000;
  return ` · ${t("tasks.seconds", { count: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) })}`;
}
