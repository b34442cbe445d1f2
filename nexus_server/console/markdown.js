// Answers with the little Markdown that models write. Everything becomes text in elements of ours, never markup:
// there are no images, and links lead to http and https only.
import { html } from "./dom.js";
import { Code } from "./parts.js";

// Bounded: where a mark is never closed, the rest of the text would be read again from each place in it.
const INLINE =
  /(`{1,9})(.+?)\1|\*\*(.+?)\*\*|\*([^*\s][^*]*?)\*|\[([^[\]\n]{1,500})\]\((https?:\/\/[^\s)]{1,2000})\)/gs;
const CITATION = /[[［【](\d{1,3}(?:\s?[,，、]\s?\d{1,3})*)[\]］】]/;
const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)[^`]*$/;
const ITEM = /^\s*([-*+]|\d{1,9}[.)])\s+(.*)$/;

/** `cite(number)` shows a number that stands for a source: [1], [1, 2], ［1］. Without it they are text. */
export function Markdown({ text, cite }) {
  const write = (part) => inline(part, cite);
  return html`<div class="prose">${blocks(text).map((block) => show(block, write))}</div>`;
}

/** The blocks of a text: code, headings, lists, quotes and paragraphs. */
export function blocks(text) {
  const lines = text.split("\n");
  const found = [];
  let at = 0;
  while (at < lines.length) {
    const block = blockAt(lines, at);
    if (block.kind !== "blank") found.push(block);
    at += block.size;
  }
  return found;
}

function blockAt(lines, at) {
  const fence = FENCE.exec(lines[at]);
  if (fence) return codeAt(lines, at, fence);
  if (!lines[at].trim()) return { kind: "blank", size: 1 };
  const heading = /^(#{1,6})\s+(.*)$/.exec(lines[at]);
  if (heading) return { kind: "heading", text: heading[2].replace(/\s#{1,6}\s*$/, ""), size: 1 };
  if (ITEM.test(lines[at])) return listAt(lines, at);
  if (lines[at].startsWith(">")) {
    const rows = run(lines, at, (line) => line.startsWith(">"));
    return { kind: "quote", text: rows.map((row) => row.replace(/^> ?/, "")).join("\n"), size: rows.length };
  }
  const rows = run(lines, at, isPlain);
  return { kind: "paragraph", text: rows.join("\n"), size: rows.length };
}

function codeAt(lines, at, [, mark, language]) {
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => line.trim() === mark);
  const body = end < 0 ? rest : rest.slice(0, end);
  return { kind: "code", text: body.join("\n"), language, size: body.length + (end < 0 ? 1 : 2) };
}

function listAt(lines, at) {
  const rows = run(lines, at, (line, first) => ITEM.test(line) || (!first && /^\s+\S/.test(line)));
  const items = [];
  for (const row of rows) {
    const item = ITEM.exec(row);
    if (item) items.push(item[2]);
    else items.push(`${items.pop()}\n${row.trim()}`);
  }
  const ordered = /^\s*\d/.test(lines[at]);
  return { kind: "list", ordered, start: ordered ? parseInt(lines[at], 10) : 1, items, size: rows.length };
}

const isPlain = (line, first) =>
  first || (line.trim() && !FENCE.test(line) && !ITEM.test(line) && !/^(#{1,6}\s|>)/.test(line));

function run(lines, at, belongs) {
  let end = at;
  while (end < lines.length && belongs(lines[end], end === at)) end += 1;
  return lines.slice(at, end);
}

function show(block, write) {
  switch (block.kind) {
    case "code":
      return html`<${Code} code=${block.text} language=${block.language} />`;
    case "heading":
      return html`<p class="heading">${write(block.text)}</p>`;
    case "quote":
      return html`<blockquote>${write(block.text)}</blockquote>`;
    case "list":
      return block.ordered
        ? html`<ol start=${block.start}>${block.items.map((item) => html`<li>${write(item)}</li>`)}</ol>`
        : html`<ul>${block.items.map((item) => html`<li>${write(item)}</li>`)}</ul>`;
    default:
      return html`<p>${write(block.text)}</p>`;
  }
}

function inline(text, cite) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(cited(text.slice(from, match.index), cite), styled(match, cite));
    from = match.index + match[0].length;
  }
  return [...parts, cited(text.slice(from), cite)];
}

function styled([, , code, strong, emphasis, label, url], cite) {
  if (code !== undefined) return html`<code>${code}</code>`;
  if (strong !== undefined) return html`<strong>${cited(strong, cite)}</strong>`;
  if (emphasis !== undefined) return html`<em>${cited(emphasis, cite)}</em>`;
  return html`<a href=${url} target="_blank" rel="noopener noreferrer">${label}</a>`;
}

function cited(text, cite) {
  if (!cite) return text;
  const numbers = (list) => list.split(/\D+/).map((number) => cite(Number(number)));
  return text.split(CITATION).map((part, index) => (index % 2 ? numbers(part) : part));
}

/** A text with these terms marked. */
export function Marked({ text, query }) {
  const terms = termsOf(query);
  if (!terms.length) return html`<span>${text}</span>`;
  const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = text.split(new RegExp(`(${escaped.join("|")})`, "giu"));
  return html`<span>${parts.map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part))}</span>`;
}

const COMMON = new Set(
  "the and for are was with that this from what when where which who how does did can you your have has not many much long".split(" "),
);

/** The words of a query that are worth marking; of Chinese, pairs of characters. The longest first. */
export function termsOf(query) {
  const terms = new Set();
  for (const [word] of query.toLowerCase().matchAll(/[\p{Script=Han}]+|[\p{L}\p{N}]+/gu)) {
    if (!/\p{Script=Han}/u.test(word)) {
      if (word.length > 2 && !COMMON.has(word)) terms.add(word);
      continue;
    }
    const characters = [...word];
    for (let at = 0; at + 1 < characters.length; at += 1) terms.add(characters[at] + characters[at + 1]);
  }
  return [...terms].sort((one, other) => other.length - one.length);
}
