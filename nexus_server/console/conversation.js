// A conversation: what was said, the answer as it comes, and a place to write.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "./dom.js";
import { t } from "./i18n.js";
import { Markdown } from "./markdown.js";
import { Icon, Problem, Python, Status, submitOnEnter, useAction } from "./parts.js";

/**
 * `answer(turns, signal)` gives the events of the answer to the last of `turns`; `python(turns)` is the program
 * that does the same; `stopped` is said below an answer that was stopped.
 */
export function Conversation({ start = [], answer, python, empty, stopped, onChange }) {
  const [turns, setTurns] = useState(start);
  const [draft, setDraft] = useState("");
  const [status, setStatus] = useState("");
  const asked = draft.trim() ? [...turns, { role: "user", content: draft.trim() }] : upToLastQuestion(turns);

  const [run, { busy, error, stop }] = useAction(async (signal) => {
    const question = { role: "user", content: draft.trim() };
    const before = [...turns, question];
    setDraft("");
    setStatus(t("chat.writing"));
    const writing = writer((reply) => setTurns([...before, reply]));
    try {
      for await (const event of answer(before, signal)) writing.take(event);
      setStatus(t("chat.done", { text: writing.reply.content }));
    } catch (caught) {
      setStatus(t("chat.stopped"));
      writing.reply.note = stopped ?? t("chat.stopped");
      throw caught;
    } finally {
      const settled = writing.settle();
      setTurns(settled ? [...before, settled] : turns);
      // Where nothing came, it can be sent again; what was typed meanwhile stays below it.
      if (!settled) setDraft((typed) => [question.content, typed].filter(Boolean).join("\n\n"));
      onChange?.();
    }
  });
  const submit = (event) => {
    event.preventDefault();
    if (!busy && draft.trim()) run();
  };
  useStickToEnd(turns);

  return html`
    <div class="turns" role="log" aria-live="off" aria-label=${t("chat.log")} aria-busy=${busy}>
      ${turns.length === 0 && empty(setDraft)}
      ${turns.map((turn, index) => html`<${Turn} key=${index} turn=${turn} writing=${busy && index === turns.length - 1} />`)}
    </div>
    <${Problem} error=${error} />
    <${Composer} draft=${draft} setDraft=${setDraft} busy=${busy} onSubmit=${submit} onStop=${stop} />
    ${asked.length > 0 && html`<${Python} code=${() => python(plain(asked))} />`}
    <${Status}>${status}<//>
  `;
}

/** The turns as the API takes them. */
export const plain = (turns) => turns.map(({ role, content }) => ({ role, content }));

function upToLastQuestion(turns) {
  const last = turns.findLastIndex((turn) => turn.role === "user");
  return turns.slice(0, last + 1);
}

// Shows what has come at most once for each frame that is drawn.
function writer(show) {
  const reply = { role: "assistant", content: "" };
  let frame = requestAnimationFrame(draw);
  function draw() {
    frame = null;
    show({ ...reply });
  }
  return {
    reply,
    take(event) {
      reply.content += event.delta?.content ?? "";
      if (event.usage) Object.assign(reply, { usage: event.usage, model: event.model });
      frame ??= requestAnimationFrame(draw);
    },
    settle() {
      cancelAnimationFrame(frame);
      return reply.content || reply.usage ? { ...reply } : null;
    },
  };
}

function Turn({ turn, writing }) {
  const name = turn.role === "user" ? t("chat.you") : t("chat.assistant");
  return html`<article class=${`turn ${turn.role}`} aria-label=${name}>
    ${turn.role === "user" ? html`<p class="said">${turn.content}</p>` : html`<${Markdown} text=${turn.content} />`}
    ${writing && html`<span class="cursor" aria-hidden="true"></span>`}
    ${turn.note && html`<p class="note">${turn.note}</p>`}
    ${turn.usage && html`<p class="note">${t("chat.usage", { model: turn.model, count: turn.usage.total_tokens })}</p>`}
  </article>`;
}

function Composer({ draft, setDraft, busy, onSubmit, onStop }) {
  const id = useId();
  const onKeyDown = (event) => {
    if (event.key === "Escape" && busy) onStop();
    submitOnEnter(event, { plain: true });
  };
  return html`<form class="composer" onSubmit=${onSubmit}>
    <label class="unseen" for=${id}>${t("chat.message")}</label>
    <textarea
      id=${id}
      rows="1"
      placeholder=${t("chat.placeholder")}
      value=${draft}
      onInput=${(event) => setDraft(event.target.value)}
      onKeyDown=${onKeyDown}
    ></textarea>
    ${busy
      ? html`<button key="stop" type="button" class="round" aria-label=${t("stop")} onClick=${onStop}><${Icon} name="stop" /></button>`
      : html`<button key="send" type="submit" class="round" aria-label=${t("send")} disabled=${!draft.trim()}><${Icon} name="send" /></button>`}
  </form>`;
}

// Keep the end in sight while it grows, unless the reader has scrolled away from it.
function useStickToEnd(turns) {
  const sticks = useRef(true);
  useEffect(() => {
    const main = document.getElementById("main");
    const look = () => {
      sticks.current = main.scrollHeight - main.scrollTop - main.clientHeight < 120;
    };
    main.addEventListener("scroll", look, { passive: true });
    return () => main.removeEventListener("scroll", look);
  }, []);
  useLayoutEffect(() => {
    const main = document.getElementById("main");
    if (sticks.current && turns.length) main.scrollTop = main.scrollHeight;
  }, [turns]);
}
