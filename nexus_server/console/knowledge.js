// Knowledge bases: documents that can be searched and asked.
import { call, events, followTask, upload } from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { formatBytes, formatNumber, formatTime, t } from "./i18n.js";
import { Markdown, Marked } from "./markdown.js";
import { Delete, Empty, explain, Field, Icon, ModelChoice, modelOf, Problem, Progress, Python, Status, useAction, usePolling } from "./parts.js";
import * as python from "./python.js";

const TYPES = ".pdf,.docx,.md,.html,.htm,.txt,.csv";
const pathOf = (id) => `/knowledge-bases/${encodeURIComponent(id)}`;

export function Knowledge({ models, active }) {
  const [opened, setOpened] = useState(null);
  return opened
    ? html`<${Base} key=${opened.kb_id} base=${opened} models=${models} active=${active} onLeave=${() => setOpened(null)} />`
    : html`<${List} active=${active} onOpen=${setOpened} />`;
}

function List({ active, onOpen }) {
  const [bases, setBases] = useState(null);
  const [load, { error }] = useAction(async (signal) => setBases(await call("GET", "/knowledge-bases", undefined, { signal })));
  const [remove, removal] = useAction(async (_, id) => {
    await call("DELETE", pathOf(id));
    await load();
  });
  useEffect(() => {
    if (active) load();
  }, [active]);

  return html`
    <header class="view-head"><h1 tabindex="-1">${t("knowledge.title")}</h1></header>
    <${NewBase} onMade=${onOpen} />
    <${Problem} error=${error ?? removal.error} />
    ${bases?.length === 0 && html`<${Empty} icon="knowledge" title=${t("knowledge.empty")}><p>${t("knowledge.empty.hint")}</p><//>`}
    ${bases?.length > 0 &&
    html`<ul class="list">
      ${bases.map((base) => html`<li key=${base.kb_id}>
        <button type="button" class="open" onClick=${() => onOpen(base)}>
          <strong>${base.name}</strong>
          <span class="note">${t("knowledge.count", { count: formatNumber(base.document_count) })} · ${formatTime(base.updated_at)}</span>
        </button>
        <${Delete} label=${base.name} onConfirm=${() => remove(base.kb_id)} />
      </li>`)}
    </ul>`}
    <${Python} code=${python.listBases} />
  `;
}

function NewBase({ onMade }) {
  const [name, setName] = useState("");
  const [run, { busy, error }] = useAction(async (signal) => {
    onMade(await call("POST", "/knowledge-bases", { name: name.trim() }, { signal }));
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy && name.trim()) run();
  };
  return html`<form class="card" onSubmit=${submit}>
    <div class="row">
      <${Field} label=${t("knowledge.name")}>
        ${(id) => html`<input id=${id} required maxlength="500" placeholder=${t("knowledge.name.placeholder")} value=${name} onInput=${(event) => setName(event.target.value)} />`}
      <//>
      <button type="submit" disabled=${busy || !name.trim()}><${Icon} name="plus" />${t("knowledge.create")}</button>
    </div>
    <${Problem} error=${error} />
    ${name.trim() && html`<${Python} code=${() => python.createBase(name.trim())} />`}
  </form>`;
}

function Base({ base, models, active, onLeave }) {
  return html`
    <header class="view-head">
      <button type="button" class="quiet" onClick=${onLeave}><${Icon} name="back" />${t("back")}</button>
      <h1 tabindex="-1">${base.name}</h1>
    </header>
    <${Documents} id=${base.kb_id} active=${active} />
    <${Ask} id=${base.kb_id} models=${models} />
  `;
}

function Documents({ id, active }) {
  const [documents, setDocuments] = useState(null);
  const [incoming, setIncoming] = useState([]); // { key, name, progress, error }
  const [changes, setChanges] = useState(0);
  const [failure, setFailure] = useState(null);
  const changed = () => setChanges((count) => count + 1);
  const note = (key, news) => setIncoming((rows) => rows.map((row) => (row.key === key ? { ...row, ...news } : row)));

  const take = async (file) => {
    const key = crypto.randomUUID();
    setIncoming((rows) => [...rows, { key, name: file.name, progress: null, error: null }]);
    try {
      const { file_id } = await upload(file);
      const { task_id } = await call("POST", `${pathOf(id)}/documents`, { file_id });
      changed();
      await followTask(task_id, { onProgress: (task) => note(key, { progress: task.progress ?? 0 }) });
      setIncoming((rows) => rows.filter((row) => row.key !== key));
    } catch (error) {
      note(key, { error });
    }
    changed();
  };
  const takeAll = async (files) => {
    for (const file of files) await take(file); // one after another: each is read by the same machine
  };
  const remove = async (document) => {
    try {
      await call("DELETE", `${pathOf(id)}/documents/${encodeURIComponent(document.doc_id)}`);
    } catch (error) {
      setFailure(error);
    }
    changed();
  };
  usePolling(async (signal) => {
    try {
      const found = await call("GET", `${pathOf(id)}/documents`, undefined, { signal });
      setDocuments(found);
      setFailure(null);
      return found.some((each) => ["queued", "processing"].includes(each.processing_status)) ? 1000 : 15000;
    } catch (error) {
      if (!signal.aborted) setFailure(error);
      return 5000;
    }
  }, active, [changes]);
  const names = incoming.length ? incoming.map((row) => row.name) : (documents ?? []).map((each) => each.filename);

  return html`<section class="card" aria-labelledby="documents">
    <h2 id="documents">${t("knowledge.documents")}</h2>
    <${DropZone} onFiles=${takeAll} />
    <${Problem} error=${failure} />
    <${Status}>${incoming.filter((row) => !row.error).map((row) => t("knowledge.reading", { name: row.name })).join(" ")}<//>
    ${incoming.map((row) => html`<div key=${row.key} class="incoming">
      ${row.error
        ? html`<p class="bad" role="alert">${row.name}: ${explain(row.error).join(" ")}</p>`
        : html`<span class="name">${row.name}</span><${Progress} value=${row.progress} label=${t("knowledge.reading", { name: row.name })} />`}
    </div>`)}
    ${documents?.length > 0 &&
    html`<ul class="list flat">
      ${documents.map((document) => html`<${Document} key=${document.doc_id} document=${document} onDelete=${() => remove(document)} />`)}
    </ul>`}
    ${names.length > 0 && html`<${Python} code=${() => python.addDocuments(id, names)} />`}
  </section>`;
}

function Document({ document, onDelete }) {
  const { filename, file_size, processing_status: status, chunk_count, error } = document;
  return html`<li>
    <div class="grow">
      <strong>${filename}</strong>
      <span class="note">
        <span class=${`chip ${status}`}>${t(`status.${status}`)}</span> ${formatBytes(file_size)}
        ${status === "completed" && ` · ${t("knowledge.passages", { count: formatNumber(chunk_count) })}`}
      </span>
      ${error && html`<span class="bad">${error}</span>`}
    </div>
    <${Delete} label=${filename} onConfirm=${onDelete} />
  </li>`;
}

function DropZone({ onFiles }) {
  const [over, setOver] = useState(false);
  const accept = (event) => event.preventDefault();
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    onFiles([...event.dataTransfer.files]);
  };
  const choose = (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    onFiles(files);
  };
  return html`<label class=${`drop ${over ? "over" : ""}`} onDragOver=${accept} onDragEnter=${() => setOver(true)}
    onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <input type="file" multiple accept=${TYPES} onChange=${choose} />
    <${Icon} name="upload" /><span>${t("knowledge.drop")}</span><span class="hint">${t("knowledge.drop.hint")}</span>
  </label>`;
}

function Ask({ id, models }) {
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState({ model: "", top_k: "5", similarity_threshold: "0.4" });
  const [shown, setShown] = useState(null); // { question, sources, text }: `text` is undefined in a mere search
  const limits = { top_k: Number(options.top_k), similarity_threshold: Number(options.similarity_threshold) };
  const asked = question.trim();

  const search = async (signal) => {
    const body = { query: asked, knowledge_base_ids: [id], ...limits };
    return (await call("POST", "/knowledge-bases/search", body, { signal })).results;
  };
  const [run, { busy, error, stop }] = useAction(async (signal, answers) => {
    setShown(null);
    const sources = await search(signal);
    let text = answers ? "" : undefined;
    if (answers && !sources.length) text = notFound(asked);
    setShown({ question: asked, sources, text });
    if (!answers || !sources.length) return;
    const body = { task_type: "text_generation", input: { messages: questionMessages(asked, sources) } };
    for await (const event of events("/invoke", { ...body, config: { temperature: 0 }, ...modelOf(options.model) }, signal)) {
      text += event.delta?.content ?? "";
      setShown({ question: asked, sources, text });
    }
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy && asked) run(true);
  };
  const set = (name) => (event) => setOptions({ ...options, [name]: event.target.value });
  const cite = (number) => html`<${Citation} number=${number} source=${shown.sources[number - 1]} />`;

  return html`<section class="card" aria-labelledby="ask">
    <h2 id="ask">${t("knowledge.ask.title")}</h2>
    <form onSubmit=${submit}>
      <${Field} label=${t("knowledge.question")}>
        ${(field) => html`<input id=${field} required placeholder=${t("knowledge.question.placeholder")} value=${question} onInput=${(event) => setQuestion(event.target.value)} />`}
      <//>
      <details class="options">
        <summary>${t("options")}</summary>
        <div class="row">
          <${Field} label=${t("knowledge.top_k")}>
            ${(field) => html`<input id=${field} type="number" min="1" max="100" value=${options.top_k} onInput=${set("top_k")} />`}
          <//>
          <${Field} label=${t("knowledge.threshold")}>
            ${(field) => html`<input id=${field} type="number" min="0" max="1" step="0.05" value=${options.similarity_threshold} onInput=${set("similarity_threshold")} />`}
          <//>
          <${ModelChoice} models=${models} type="text_generation" value=${options.model} onChange=${(model) => setOptions({ ...options, model })} />
        </div>
      </details>
      <div class="buttons">
        ${busy
          ? html`<button key="stop" type="button" onClick=${stop}><${Icon} name="stop" />${t("stop")}</button>`
          : html`<button key="ask" type="submit" disabled=${!asked}><${Icon} name="chat" />${t("knowledge.ask")}</button>
              <button key="search" type="button" class="quiet" disabled=${!asked} onClick=${() => run(false)}>${t("knowledge.search")}</button>`}
      </div>
      ${asked &&
      html`<${Python} code=${() => python.ask(asked, id, { ...limits, ...modelOf(options.model) })} />
        <${Python} label=${t("python.search")} code=${() => python.search(asked, id, limits)} />`}
    </form>
    <${Problem} error=${error} />
    <${Status}>${busy ? t("knowledge.looking") : shown ? shown.text ?? t("knowledge.found", { count: shown.sources.length }) : ""}<//>
    ${shown?.text !== undefined && shown && html`<div class="answer" aria-busy=${busy}><${Markdown} text=${shown.text} cite=${cite} /></div>`}
    ${shown && html`<${Sources} ...${shown} />`}
  </section>`;
}

/** A number in an answer: it leads to its source. One that no source has was made up by the model, and is marked. */
function Citation({ number, source }) {
  if (!source) return html`<span class="stray" title=${t("knowledge.stray")}>[${number}?]</span>`;
  const look = () => document.getElementById(idOf(source)).focus();
  return html`<button type="button" class="cite" aria-label=${t("knowledge.source", { number })} onClick=${look}>[${number}]</button>`;
}

const idOf = (source) => `source-${source.chunk_id}`;

function Sources({ question, sources }) {
  if (!sources.length) return html`<p class="note">${t("knowledge.nothing")}</p>`;
  return html`<h3>${t("knowledge.sources")}</h3>
    <ol class="sources">
      ${sources.map((each) => html`<li key=${each.chunk_id} id=${idOf(each)} tabindex="-1">
        <p class="note">
          <strong>${each.metadata.filename}</strong>
          ${each.metadata.page != null && ` · ${t("knowledge.page", { page: each.metadata.page })}`}
          ${` · ${t("knowledge.score", { score: Math.round(each.similarity_score * 100) })}`}
        </p>
        <p class="passage"><${Marked} text=${each.content} query=${question} /></p>
      </li>`)}
    </ol>`;
}

const isChinese = (text) => /[\u3400-\u9fff]/.test(text);

/** What is said when nothing was found: the SDK's own words, as in `questionMessages`. A test compares them. */
export const notFound = (question) =>
  isChinese(question) ? "资料中没有找到相关内容。" : "The documents say nothing about this.";

export function questionMessages(question, sources) {
  const passages = sources.map((source, index) => `[${index + 1}] ${source.content}`).join("\n\n");
  const [system, user] = isChinese(question)
    ? [
        "你根据给出的资料回答问题。只使用资料中的内容，回答简短，并在句末用资料的编号注明出处，例如 [1]。资料里没有答案时，就说没有找到。",
        `资料：\n${passages}\n\n问题：${question}`,
      ]
    : [
        "You answer questions from the given passages. Use nothing else, be brief, and end a sentence " +
          "with the number of its passage, such as [1]. If the answer is not in them, say so.",
        `Passages:\n${passages}\n\nQuestion: ${question}`,
      ];
  return [
    { role: "system", content: system },
    { role: "user", content: user },
  ];
}
