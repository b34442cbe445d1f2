// The key: asked for once, kept in this tab; and what was done for it.
import { call, forgetKey, getKey, isKey, maskedKey, setKey } from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { formatBytes, formatNumber, formatTime, t } from "./i18n.js";
import { Choice, Code, Field, Icon, Problem, Python, useAction } from "./parts.js";
import * as python from "./python.js";

/** Asks for a key, and tries it. */
export function KeyForm({ onKey, refused }) {
  const [text, setText] = useState("");
  const [run, { busy, error }] = useAction(async (signal) => {
    setKey(text.trim());
    try {
      await call("GET", "/models", undefined, { signal });
    } catch (caught) {
      forgetKey();
      throw caught;
    }
    onKey();
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy && isKey(text.trim())) run();
  };
  const looksWrong = text.trim() && !isKey(text.trim());
  return html`<form class="card key-form" onSubmit=${submit}>
    <h1 tabindex="-1">${t("key.title")}</h1>
    <p>${t("key.why")}</p>
    ${refused && !error && html`<div class="problem" role="alert"><p><strong>${t("error.key")}</strong></p></div>`}
    <${Field} label=${t("key.label")} hint=${looksWrong ? t("key.wrong") : t("key.hint")}>
      ${(id) => html`<input id=${id} type="password" autocomplete="off" spellcheck="false" placeholder="nxs_…" value=${text}
        aria-invalid=${looksWrong ? "true" : "false"} onInput=${(event) => setText(event.target.value)} />`}
    <//>
    <div class="buttons"><button type="submit" disabled=${busy || !isKey(text.trim())}>${t("key.use")}</button></div>
    <${Problem} error=${error} />
    <p class="hint">${t("key.where")}</p>
    <${Code} code="nexusai serve" language=${t("key.terminal")} />
  </form>`;
}

export function Settings({ active, onForget }) {
  return html`
    <header class="view-head"><h1 tabindex="-1">${t("settings.title")}</h1></header>
    <section class="card" aria-labelledby="key">
      <h2 id="key">${t("key.label")}</h2>
      <p><code class="key">${maskedKey(getKey() ?? "")}</code></p>
      <p class="hint">${t("key.stored")}</p>
      <div class="buttons"><button type="button" class="quiet" onClick=${onForget}><${Icon} name="trash" />${t("key.forget")}</button></div>
    </section>
    <${Usage} active=${active} />
    <section class="card" aria-labelledby="own-code">
      <h2 id="own-code">${t("settings.code")}</h2>
      <p>${t("settings.code.hint")}</p>
      <${Code} code=${python.models()} language="Python" />
    </section>
  `;
}

function Usage({ active }) {
  const [days, setDays] = useState("30");
  const [usage, setUsage] = useState(null);
  const [load, { error }] = useAction(async (signal, since) => {
    setUsage(await call("GET", `/usage${since ? `?days=${since}` : ""}`, undefined, { signal }));
  });
  useEffect(() => {
    if (active) load(days);
  }, [active, days]);
  return html`<section class="card" aria-labelledby="usage">
    <h2 id="usage">${t("usage.title")}</h2>
    <${Choice} label=${t("usage.since")} value=${days} onChange=${setDays}
      options=${[["1", t("usage.day")], ["30", t("usage.month")], ["", t("all")]]} />
    <${Problem} error=${error} />
    ${usage && html`<${UsageTable} rows=${usage.tasks} />`}
    ${usage && html`<p class="note">${t("usage.about", {
      name: usage.key.name,
      since: formatTime(usage.key.created_at),
      count: formatNumber(usage.files.count),
      size: formatBytes(usage.files.bytes),
    })}</p>`}
    <${Python} code=${python.usage} />
  </section>`;
}

function UsageTable({ rows }) {
  if (!rows.length) return html`<p>${t("usage.none")}</p>`;
  const columns = ["completed", "failed", "cancelled", "total_tokens"];
  return html`<div class="scroll" tabindex="0" role="group" aria-labelledby="usage">
    <table>
      <thead>
        <tr>
          <th scope="col">${t("usage.work")}</th>
          ${columns.map((name) => html`<th scope="col" class="number">${t(`usage.${name}`)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`<tr key=${`${row.task_type} ${row.provider} ${row.model}`}>
          <th scope="row">${t(`type.${row.task_type}`)} <span class="note">${row.model}</span></th>
          ${columns.map((name) => html`<td class="number">${formatNumber(row[name])}</td>`)}
        </tr>`)}
      </tbody>
    </table>
  </div>`;
}
