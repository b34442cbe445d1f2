// English and Chinese: by the browser's language, until the user chooses.
import { WORDS } from "./words.js";

const NAME = "nexus.language";
const LANGUAGES = ["en", "zh"];

let language = localStorage.getItem(NAME) ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en");
document.documentElement.lang = tag();

export const getLanguage = () => language;

export function setLanguage(chosen) {
  language = chosen;
  localStorage.setItem(NAME, chosen);
  document.documentElement.lang = tag();
}

function tag() {
  return language === "zh" ? "zh-CN" : "en";
}

/** A text in the user's language; `{name}` in it is replaced by the value of that name. Of one thing there may be
 * another text, `….one`. */
export function t(key, values = {}) {
  const found = (String(values.count) === "1" && WORDS[`${key}.one`]) || WORDS[key];
  const words = found?.[LANGUAGES.indexOf(language)] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const formatNumber = (value) => new Intl.NumberFormat(tag()).format(value);
export const formatTime = (moment) =>
  new Intl.DateTimeFormat(tag(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));

export function formatBytes(count) {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), 3);
  const value = Math.round((count / 1000 ** power) * 10) / 10;
  return `${formatNumber(value)} ${["B", "kB", "MB", "GB"][power]}`;
}

export function formatSeconds(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
