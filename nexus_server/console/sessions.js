// Sessions: conversations that the platform remembers.
import { call, events } from "./api.js";
import { Conversation } from "./conversation.js";
import { html, useEffect, useState } from "./dom.js";
import { formatTime, t } from "./i18n.js";
import { Delete, Empty, Field, Icon, ModelChoice, modelOf, Problem, Python, useAction } from "./parts.js";
import * as python from "./python.js";

const PER_PAGE = 20;
const pathOf = (id) => `/sessions/${encodeURIComponent(id)}`;

export function Sessions({ models, active }) {
  const [opened, setOpened] = useState(null);
  return opened
    ? html`<${OpenSession} key=${opened.session_id} session=${opened} onLeave=${() => setOpened(null)} />`
    : html`<${List} models=${models} active=${active} onOpen=${setOpened} />`;
}

function List({ models, active, onOpen }) {
  const [page, setPage] = useState(1);
  const [found, setFound] = useState(null);
  const [load, { error }] = useAction(async (signal, number) => {
    const answer = await call("GET", `/sessions?page=${number}&per_page=${PER_PAGE}`, undefined, { signal });
    setPage(number);
    setFound((earlier) => (number === 1 ? answer : { ...answer, sessions: [...earlier.sessions, ...answer.sessions] }));
  });
  const [remove, removal] = useAction(async (_, id) => {
    await call("DELETE", pathOf(id));
    await load(1);
  });
  useEffect(() => {
    if (active) load(1);
  }, [active]);

  return html`
    <header class="view-head"><h1 tabindex="-1">${t("sessions.title")}</h1></header>
    <${NewSession} models=${models} onMade=${onOpen} />
    <${Problem} error=${error ?? removal.error} />
    ${found?.total === 0 && html`<${Empty} icon="sessions" title=${t("sessions.empty")}><p>${t("sessions.empty.hint")}</p><//>`}
    ${found?.total > 0 &&
    html`<ul class="list">
      ${found.sessions.map((session) => {
        const name = session.name || t("sessions.unnamed");
        return html`<li key=${session.session_id}>
          <button type="button" class="open" onClick=${() => onOpen(session)}>
            <strong>${name}</strong><span class="note">${formatTime(session.updated_at)}</span>
          </button>
          <${Delete} label=${name} onConfirm=${() => remove(session.session_id)} />
        </li>`;
      })}
    </ul>`}
    ${found && page < found.pages && html`<button type="button" class="quiet" onClick=${() => load(page + 1)}>${t("more")}</button>`}
    <${Python} code=${python.listSessions} />
  `;
}

function NewSession({ models, onMade }) {
  const [name, setName] = useState("");
  const [system, setSystem] = useState("");
  const [model, setModel] = useState("");
  const body = {
    name: name.trim() || undefined,
    agent_config: { ...(system.trim() ? { system_prompt: system.trim() } : {}), ...modelOf(model) },
  };
  const [run, { busy, error }] = useAction(async (signal) => onMade(await call("POST", "/sessions", body, { signal })));
  const submit = (event) => {
    event.preventDefault();
    if (!busy) run();
  };
  return html`<form class="card" onSubmit=${submit}>
    <div class="row">
      <${Field} label=${t("sessions.name")}>
        ${(id) => html`<input id=${id} maxlength="500" placeholder=${t("sessions.name.placeholder")} value=${name} onInput=${(event) => setName(event.target.value)} />`}
      <//>
      <${Field} label=${t("chat.system")}>
        ${(id) => html`<input id=${id} placeholder=${t("sessions.system.placeholder")} value=${system} onInput=${(event) => setSystem(event.target.value)} />`}
      <//>
      <${ModelChoice} models=${models} type="text_generation" value=${model} onChange=${setModel} />
    </div>
    <div class="buttons"><button type="submit" disabled=${busy}><${Icon} name="plus" />${t("sessions.create")}</button></div>
    <${Problem} error=${error} />
    <${Python} code=${() => python.createSession(body)} />
  </form>`;
}

function OpenSession({ session, onLeave }) {
  const id = session.session_id;
  const name = session.name || t("sessions.unnamed");
  const [turns, setTurns] = useState(null);
  const [load, { error }] = useAction(async (signal) => {
    setTurns((await call("GET", `${pathOf(id)}/history?limit=1000`, undefined, { signal })).messages);
  });
  const [remove, removal] = useAction(async () => {
    await call("DELETE", pathOf(id));
    onLeave();
  });
  useEffect(() => {
    load();
  }, []);
  const answer = (said, signal) => events(`${pathOf(id)}/invoke`, { prompt: said.at(-1).content }, signal);

  return html`
    <header class="view-head">
      <button type="button" class="quiet" onClick=${onLeave}><${Icon} name="back" />${t("back")}</button>
      <h1 tabindex="-1">${name}</h1>
      <${Delete} label=${name} onConfirm=${remove} />
    </header>
    <${Problem} error=${error ?? removal.error} />
    ${turns &&
    html`<${Conversation} start=${turns} answer=${answer} stopped=${t("sessions.stopped")}
      empty=${() => html`<${Empty} icon="sessions" title=${t("sessions.begin")}><p>${t("sessions.begin.hint")}</p><//>`}
      python=${(said) => python.say(id, said.at(-1).content)} />`}
    ${turns?.length > 0 && html`<details class="python-more"><summary>${t("sessions.history")}</summary><${Python} code=${() => python.history(id)} /></details>`}
  `;
}
