// Images: made as a task, shown when it has completed.
import { contentOf, runTask } from "./api.js";
import { html, useState } from "./dom.js";
import { t } from "./i18n.js";
import { Choice, Empty, Field, Icon, ModelChoice, modelOf, Problem, Progress, Python, Status, submitOnEnter, useAction, useObjectUrl } from "./parts.js";
import * as python from "./python.js";

const RATIOS = ["1:1", "16:9", "9:16", "4:3", "3:4", "21:9"];

export function Images({ models }) {
  const [prompt, setPrompt] = useState("");
  const [model, setModel] = useState("");
  const [config, setConfig] = useState({ aspect_ratio: "1:1", num_images: 1 });
  const [made, setMade] = useState([]);
  const [task, setTask] = useState(null);
  const [run, { busy, error, stop }] = useAction(async (signal) => {
    setTask(null);
    const body = { task_type: "image_generation", input: { prompt }, config, ...modelOf(model) };
    const { output } = await runTask(body, { signal, onProgress: setTask });
    const urls = output.images?.map((image) => image.url) ?? [output.image_url];
    const blobs = await Promise.all(urls.map((url) => contentOf(url, { signal })));
    const about = output.revised_prompt ?? prompt;
    setMade((earlier) => [...blobs.map((blob, index) => ({ id: `${urls[index]}`, blob, about })), ...earlier]);
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy) run();
  };

  return html`
    <header class="view-head"><h1 tabindex="-1">${t("images.title")}</h1></header>
    <form class="card" onSubmit=${submit}>
      <${Field} label=${t("images.prompt")}>
        ${(id) => html`<textarea id=${id} rows="2" required placeholder=${t("images.placeholder")} value=${prompt}
          onInput=${(event) => setPrompt(event.target.value)} onKeyDown=${submitOnEnter}></textarea>`}
      <//>
      <div class="row">
        <${Choice} label=${t("images.ratio")} value=${config.aspect_ratio} options=${RATIOS.map((each) => [each, each])}
          onChange=${(aspect_ratio) => setConfig({ ...config, aspect_ratio })} />
        <${Choice} label=${t("images.count")} value=${String(config.num_images)} options=${["1", "2", "3", "4"].map((each) => [each, each])}
          onChange=${(count) => setConfig({ ...config, num_images: Number(count) })} />
        <${ModelChoice} models=${models} type="image_generation" value=${model} onChange=${setModel} />
      </div>
      <div class="buttons">
        ${busy
          ? html`<button key="stop" type="button" onClick=${stop}><${Icon} name="stop" />${t("stop")}</button>`
          : html`<button key="go" type="submit" disabled=${!prompt.trim()}><${Icon} name="images" />${t("images.make")}</button>`}
        ${busy && html`<${Progress} value=${task?.progress} label=${t("images.making")} />`}
      </div>
      ${prompt.trim() && html`<${Python} code=${() => python.image(prompt, { ...modelOf(model), ...config })} />`}
    </form>
    <${Problem} error=${error} />
    <${Status}>${busy ? t("images.making") : made.length ? t("images.done", { about: made[0].about }) : ""}<//>
    ${made.length === 0 && !busy && html`<${Empty} icon="images" title=${t("images.empty")}><p>${t("images.empty.hint")}</p><//>`}
    <div class="pictures">${made.map((picture) => html`<${Picture} key=${picture.id} ...${picture} />`)}</div>
  `;
}

function Picture({ blob, about }) {
  const url = useObjectUrl(blob);
  if (!url) return null;
  const name = `image.${blob.type.split("/").pop()}`;
  return html`<figure>
    <img src=${url} alt=${about} />
    <figcaption>${about} <a href=${url} download=${name}>${t("download")}</a></figcaption>
  </figure>`;
}
