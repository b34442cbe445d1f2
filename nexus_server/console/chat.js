// Chat: a conversation that this page holds. On the platform each question is a task, with what was said before it.
import { events } from "./api.js";
import { Conversation, plain } from "./conversation.js";
import { html, useState } from "./dom.js";
import { t } from "./i18n.js";
import { Empty, Field, Icon, ModelChoice, modelOf } from "./parts.js";
import * as python from "./python.js";

export function Chat({ models }) {
  const [options, setOptions] = useState({ model: "", system: "", temperature: "", max_tokens: "512" });
  const [number, setNumber] = useState(0); // of the conversation: another one begins empty
  const config = configOf(options);
  const withSystem = (turns) =>
    options.system.trim() ? [{ role: "system", content: options.system.trim() }, ...turns] : turns;
  const answer = (turns, signal) => {
    const body = { task_type: "text_generation", input: { messages: withSystem(plain(turns)) }, config };
    return events("/invoke", { ...body, ...modelOf(options.model) }, signal);
  };

  return html`
    <header class="view-head">
      <h1 tabindex="-1">${t("chat.title")}</h1>
      <button type="button" class="quiet" onClick=${() => setNumber(number + 1)}><${Icon} name="plus" />${t("chat.new")}</button>
    </header>
    <div class="row">
      <${ModelChoice} models=${models} type="text_generation" value=${options.model}
        onChange=${(model) => setOptions({ ...options, model })} />
      <${Options} options=${options} setOptions=${setOptions} />
    </div>
    <${Conversation} key=${number} answer=${answer} empty=${(ask) => html`<${Beginning} ask=${ask} />`}
      python=${(turns) => python.chat(withSystem(turns), { ...modelOf(options.model), ...config })} />
  `;
}

function configOf({ temperature, max_tokens }) {
  const config = {};
  if (max_tokens) config.max_tokens = Number(max_tokens);
  if (temperature !== "") config.temperature = Number(temperature);
  return config;
}

function Options({ options, setOptions }) {
  const set = (name) => (event) => setOptions({ ...options, [name]: event.target.value });
  return html`<details class="options">
    <summary>${t("options")}</summary>
    <div class="fields">
      <${Field} label=${t("chat.system")}>
        ${(id) => html`<textarea id=${id} rows="2" value=${options.system} onInput=${set("system")}></textarea>`}
      <//>
      <${Field} label=${t("chat.temperature")} hint=${t("chat.temperature.hint")}>
        ${(id) => html`<input id=${id} type="number" min="0" max="2" step="0.1" value=${options.temperature} onInput=${set("temperature")} />`}
      <//>
      <${Field} label=${t("chat.max_tokens")}>
        ${(id) => html`<input id=${id} type="number" min="1" value=${options.max_tokens} onInput=${set("max_tokens")} />`}
      <//>
    </div>
  </details>`;
}

function Beginning({ ask }) {
  const ideas = [t("chat.idea.1"), t("chat.idea.2"), t("chat.idea.3")];
  return html`<${Empty} icon="chat" title=${t("chat.empty")}>
    <p>${t("chat.empty.hint")}</p>
    <ul class="ideas">
      ${ideas.map((idea) => html`<li><button type="button" class="quiet" onClick=${() => ask(idea)}>${idea}</button></li>`)}
    </ul>
  <//>`;
}
