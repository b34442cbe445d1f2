// The page: its frame, which view is shown, and the key, which comes first.
import { call, forgetKey, getKey, setKey, takeKeyFromAddress } from "./api.js";
import { Chat } from "./chat.js";
import { html, render, useEffect, useRef, useState } from "./dom.js";
import { getLanguage, setLanguage, t } from "./i18n.js";
import { Images } from "./images.js";
import { Knowledge } from "./knowledge.js";
import { Icon, Problem } from "./parts.js";
import { Sessions } from "./sessions.js";
import { KeyForm, Settings } from "./settings.js";
import { Speech } from "./speech.js";
import { Tasks } from "./tasks.js";

const VIEWS = { chat: Chat, images: Images, speech: Speech, knowledge: Knowledge, sessions: Sessions, tasks: Tasks, settings: Settings };
const THEME = "nexus.theme";

const viewOfAddress = () => {
  const name = location.hash.replace(/^#\//, "");
  return name in VIEWS ? name : "chat";
};

function App({ start }) {
  const [view, setView] = useState(viewOfAddress());
  const [seen, setSeen] = useState(new Set([view]));
  const [models, setModels] = useState([]);
  const [error, setError] = useState(null);
  const [unlocked, setUnlocked] = useState(Boolean(getKey()));
  const [refused, setRefused] = useState(false);
  const [broken, setBroken] = useState(start === ""); // the key in the link
  const [, setTurn] = useState(0); // drawn anew in another language
  const moved = useRef(false);

  const lock = () => {
    forgetKey();
    setRefused(true);
    setUnlocked(false);
    setSeen(new Set([view])); // what the last key could see goes with it
  };
  const load = async () => {
    try {
      setModels((await call("GET", "/models")).data);
      setError(null);
    } catch (caught) {
      if (caught.status === 401) lock();
      else setError(caught);
    }
  };
  useEffect(() => {
    const go = () => {
      const key = takeKeyFromAddress();
      if (key && key !== getKey()) {
        changeKey(key);
        return;
      }
      setBroken(key === "");
      const next = viewOfAddress();
      moved.current = true;
      setView(next);
      setSeen((earlier) => new Set([...earlier, next]));
    };
    addEventListener("hashchange", go);
    return () => removeEventListener("hashchange", go);
  }, []);
  useEffect(() => {
    if (unlocked) load();
  }, [unlocked]);
  useEffect(() => {
    document.title = `${t(`nav.${view}`)} · Nexus AI`;
    if (!moved.current) return;
    document.getElementById("main").scrollTop = 0;
    document.querySelector(".view:not([hidden]) h1")?.focus();
  }, [view]);

  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <header class="top">
      <span class="brand"><img src="/console/icon.svg" alt="" width="24" height="24" />Nexus AI</span>
      <${Switches} onLanguage=${() => setTurn((turn) => turn + 1)} />
    </header>
    ${unlocked && html`<${Navigation} view=${view} />`}
    <main id="main" tabindex="-1">
      ${broken && html`<div class="problem" role="alert"><p><strong>${t("key.link")}</strong></p><p>${t("key.wrong")}</p></div>`}
      <${Problem} error=${error}><button type="button" class="quiet small" onClick=${load}>${t("again")}</button><//>
      ${unlocked
        ? [...seen].map((name) => {
            const View = VIEWS[name];
            return html`<section key=${name} class=${`view ${name}`} hidden=${name !== view}>
              <${View} models=${models} active=${name === view} onForget=${() => changeKey(null)} />
            </section>`;
          })
        : html`<section class="view"><${KeyForm} refused=${refused} onKey=${() => setUnlocked(true)} /></section>`}
    </main>
  `;
}

function Navigation({ view }) {
  return html`<nav class="views" aria-label=${t("nav")}>
    <ul>
      ${Object.keys(VIEWS).map((name) => html`<li>
        <a href=${`#/${name}`} aria-current=${name === view ? "page" : undefined}><${Icon} name=${name} /><span>${t(`nav.${name}`)}</span></a>
      </li>`)}
    </ul>
  </nav>`;
}

// Another key, or none: the page begins anew, so that nothing that the last one could see or began stays in it.
function changeKey(key) {
  if (key) setKey(key);
  else forgetKey();
  location.reload();
}

// The address is the view's, so the skip link only moves the focus.
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Switches({ onLanguage }) {
  const [theme, setTheme] = useState(shownTheme());
  const other = theme === "dark" ? "light" : "dark";
  const turn = () => {
    localStorage.setItem(THEME, other);
    applyTheme();
    setTheme(other);
  };
  const speak = () => {
    setLanguage(getLanguage() === "zh" ? "en" : "zh");
    onLanguage();
  };
  return html`<div class="switches">
    <button type="button" class="quiet small" lang=${getLanguage() === "zh" ? "en" : "zh-CN"} onClick=${speak}>
      <${Icon} name="language" />${getLanguage() === "zh" ? "English" : "中文"}
    </button>
    <button type="button" class="quiet small" aria-label=${t(`theme.${other}`)} title=${t(`theme.${other}`)} onClick=${turn}><${Icon} name=${other} /></button>
  </div>`;
}

function shownTheme() {
  return localStorage.getItem(THEME) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function applyTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

applyTheme();
const start = takeKeyFromAddress();
if (start) setKey(start);
render(html`<${App} start=${start} />`, document.getElementById("app"));
performance.mark("nexus-ready");
