// Speech: a recording written down, a text read aloud.
import { contentOf, runTask, upload } from "./api.js";
import { html, useEffect, useRef, useState } from "./dom.js";
import { formatSeconds, t } from "./i18n.js";
import { Choice, Field, Icon, ModelChoice, modelOf, Problem, Progress, Python, Status, submitOnEnter, useAction, useObjectUrl } from "./parts.js";
import * as python from "./python.js";

const VOICES = ["af_heart", "am_michael", "zf_xiaoxiao", "zm_yunxi", "heart"];
const FORMATS = ["mp3", "wav", "ogg", "flac"];

export function Speech({ models }) {
  return html`
    <header class="view-head"><h1 tabindex="-1">${t("speech.title")}</h1></header>
    <div class="columns">
      <${WriteDown} models=${models} />
      <${ReadAloud} models=${models} />
    </div>
  `;
}

function WriteDown({ models }) {
  const [model, setModel] = useState("");
  const [language, setLanguage] = useState("");
  const [source, setSource] = useState(null); // { blob, name }
  const [transcript, setTranscript] = useState(null);
  const [task, setTask] = useState(null);
  const config = language ? { language } : {};
  const [run, { busy, error, stop }] = useAction(async (signal, blob, name) => {
    setSource({ blob, name });
    setTranscript(null);
    setTask(null);
    const { file_id } = await upload(blob, name, { signal });
    const body = { task_type: "speech_to_text", input: { file_id }, config, ...modelOf(model) };
    setTranscript((await runTask(body, { signal, onProgress: setTask })).output);
  });
  const microphone = useMicrophone((blob) => run(blob, `recording.${blob.type.includes("mp4") ? "m4a" : "webm"}`));
  const choose = (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) run(file, file.name);
  };
  const url = useObjectUrl(source?.blob);

  return html`<section class="card" aria-labelledby="write-down">
    <h2 id="write-down">${t("speech.write")}</h2>
    <div class="row">
      <${Choice} label=${t("speech.language")} value=${language} onChange=${setLanguage}
        options=${[["", t("speech.language.auto")], ["en", "English"], ["zh", "中文"]]} />
      <${ModelChoice} models=${models} type="speech_to_text" value=${model} onChange=${setModel} />
    </div>
    <div class="buttons">
      ${microphone.recording
        ? html`<button key="stop" type="button" class="recording" onClick=${microphone.stop}>
            <${Icon} name="stop" />${t("speech.stop")} <span aria-hidden="true">${formatSeconds(microphone.seconds)}</span>
          </button>`
        : html`<button key="record" type="button" disabled=${busy} onClick=${microphone.start}><${Icon} name="record" />${t("speech.record")}</button>`}
      <label class="file-button">
        <input type="file" accept="audio/*,video/*" disabled=${busy} onChange=${choose} />
        <span><${Icon} name="upload" />${t("speech.choose")}</span>
      </label>
      ${busy && html`<button type="button" class="quiet" onClick=${stop}>${t("stop")}</button>`}
    </div>
    ${busy && html`<${Progress} value=${task?.progress} label=${t("speech.writing")} />`}
    <${Problem} error=${error ?? microphone.error} />
    <${Status}>${microphone.recording ? t("speech.recording") : busy ? t("speech.writing") : transcript?.text ?? ""}<//>
    ${url && html`<audio controls src=${url} aria-label=${source.name}></audio>`}
    ${transcript && html`<${Transcript} ...${transcript} />`}
    <${Python} code=${() => python.transcribe(source?.name ?? "recording.webm", { ...modelOf(model), ...config })} />
  </section>`;
}

function Transcript({ text, language, duration, segments = [] }) {
  return html`<div class="result">
    <p class="transcript">${text || t("speech.silence")}</p>
    <p class="note">${[language, duration != null && formatSeconds(duration)].filter(Boolean).join(" · ")}</p>
    ${segments.length > 1 &&
    html`<details><summary>${t("speech.segments")}</summary>
      <ol class="segments">${segments.map((each) => html`<li><span class="time">${formatSeconds(each.start)}</span> ${each.text}</li>`)}</ol>
    </details>`}
  </div>`;
}

class MicrophoneError extends Error {}

/** Records from the microphone; `onDone(blob)` gets the recording. */
function useMicrophone(onDone) {
  const [state, setState] = useState({ recording: false, seconds: 0, error: null });
  const recorder = useRef(null);
  const start = async () => {
    try {
      recorder.current = await record(setState, onDone);
    } catch {
      setState({ recording: false, seconds: 0, error: new MicrophoneError(t("speech.microphone")) });
    }
  };
  useEffect(() => () => recorder.current?.stop(), []);
  return { ...state, start, stop: () => recorder.current?.stop() };
}

async function record(setState, onDone) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  const began = performance.now();
  const tick = () => setState({ recording: true, seconds: (performance.now() - began) / 1000, error: null });
  const timer = setInterval(tick, 500);
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => {
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop());
    setState({ recording: false, seconds: 0, error: null });
    onDone(new Blob(pieces, { type: recorder.mimeType }));
  };
  recorder.start();
  tick();
  return recorder;
}

function ReadAloud({ models }) {
  const [text, setText] = useState("");
  const [model, setModel] = useState("");
  const [voice, setVoice] = useState("");
  const [format, setFormat] = useState("mp3");
  const [spoken, setSpoken] = useState(null);
  const [task, setTask] = useState(null);
  const config = { format, ...(voice.trim() ? { voice: voice.trim() } : {}) };
  const [run, { busy, error, stop }] = useAction(async (signal) => {
    setSpoken(null);
    setTask(null);
    const body = { task_type: "text_to_speech", input: { text }, config, ...modelOf(model) };
    const { output } = await runTask(body, { signal, onProgress: setTask });
    setSpoken(await contentOf(output.audio_url, { signal }));
  });
  const url = useObjectUrl(spoken);
  const submit = (event) => {
    event.preventDefault();
    if (!busy) run();
  };

  return html`<section class="card" aria-labelledby="read-aloud">
    <h2 id="read-aloud">${t("speech.read")}</h2>
    <form onSubmit=${submit}>
      <${Field} label=${t("speech.text")}>
        ${(id) => html`<textarea id=${id} rows="3" required placeholder=${t("speech.text.placeholder")} value=${text}
          onInput=${(event) => setText(event.target.value)} onKeyDown=${submitOnEnter}></textarea>`}
      <//>
      <div class="row">
        <${Field} label=${t("speech.voice")}>
          ${(id) => html`<input id=${id} list="voices" placeholder=${t("speech.voice.auto")} value=${voice} onInput=${(event) => setVoice(event.target.value)} />
            <datalist id="voices">${VOICES.map((each) => html`<option value=${each}></option>`)}</datalist>`}
        <//>
        <${Choice} label=${t("speech.format")} value=${format} onChange=${setFormat} options=${FORMATS.map((each) => [each, each])} />
        <${ModelChoice} models=${models} type="text_to_speech" value=${model} onChange=${setModel} />
      </div>
      <div class="buttons">
        ${busy
          ? html`<button key="stop" type="button" onClick=${stop}><${Icon} name="stop" />${t("stop")}</button>`
          : html`<button key="go" type="submit" disabled=${!text.trim()}><${Icon} name="speech" />${t("speech.speak")}</button>`}
        ${busy && html`<${Progress} value=${task?.progress} label=${t("speech.speaking")} />`}
      </div>
    </form>
    <${Problem} error=${error} />
    <${Status}>${busy ? t("speech.speaking") : spoken ? t("speech.ready") : ""}<//>
    ${url &&
    html`<div class="result">
      <audio controls src=${url} aria-label=${t("speech.player")}></audio>
      <a href=${url} download=${`speech.${format}`}>${t("download")}</a>
    </div>`}
    ${text.trim() && html`<${Python} code=${() => python.speak(text, { ...modelOf(model), ...config })} />`}
  </section>`;
}
