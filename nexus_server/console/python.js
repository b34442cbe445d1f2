// "Show the Python": the SDK's call that does what the page does, with the user's own values. Pure functions.

const WIDTH = 88;
// Invisible and direction-changing characters: in code they must not hide what is there.
const HIDDEN = /[\u007f-\u00a0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** A value as a Python literal. */
export function literal(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  const pairs = Object.entries(value).map(([name, each]) => `${text(name)}: ${literal(each)}`);
  return `{${pairs.join(", ")}}`;
}

// JSON's escapes are Python's too, lone surrogates among them.
function text(value) {
  return JSON.stringify(value).replace(HIDDEN, (character) => {
    const code = character.codePointAt(0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** A call, on one line where it fits, else one line for each argument. Keywords that are undefined are left out. */
export function call(name, positional = [], keywords = {}) {
  const given = Object.entries(keywords).filter(([, value]) => value !== undefined && value !== "");
  const parts = [...positional.map(literal), ...given.map(([key, value]) => `${key}=${literal(value)}`)];
  const line = `${name}(${parts.join(", ")})`;
  if (line.length <= WIDTH) return line;
  const lines = [
    ...positional.map(brokenLiteral),
    ...given.map(([key, value]) => `${key}=${brokenLiteral(value)}`),
  ];
  return `${name}(\n${lines.map((part) => indent(part) + ",").join("\n")}\n)`;
}

function brokenLiteral(value) {
  const line = literal(value);
  if (line.length <= WIDTH || !Array.isArray(value)) return line;
  return `[\n${value.map((each) => `${indent(literal(each))},`).join("\n")}\n]`;
}

// No literal holds a raw line break, so indenting lines never changes a value.
const indent = (code) => code.replace(/^/gm, "    ");

/** A whole program around these lines. */
export function program(...lines) {
  const atDefault = ["http://localhost:8000", "http://127.0.0.1:8000"].includes(location.origin);
  const keywords = { base_url: atDefault ? undefined : `${location.origin}/api/v1` };
  const client = call("nexusai.NexusAIClient", [], keywords);
  return `import nexusai\n\n# The key is read from NEXUS_API_KEY.\nwith ${client} as client:\n${indent(lines.join("\n"))}\n`;
}

const PRINT_STREAM = 'for text in stream.text_deltas:\n    print(text, end="", flush=True)';

export const models = () => program("for model in client.models.list():", "    print(model.id, model.task_types)");

export function chat(messages, { provider, model, ...config }) {
  const one = messages.length === 1 && messages[0].role === "user";
  const positional = one ? [messages[0].content] : [];
  const keywords = { messages: one ? undefined : messages, provider, model, ...config };
  return program(`stream = ${call("client.text.stream", positional, keywords)}`, PRINT_STREAM);
}

export function image(prompt, keywords) {
  return program(
    `image = ${call("client.images.generate", [prompt], keywords)}`,
    'print(image.save("image.png"), image.revised_prompt)',
  );
}

export function speak(words, keywords) {
  const name = `speech.${keywords.format ?? "wav"}`;
  return program(
    `speech = ${call("client.audio.synthesize", [words], keywords)}`,
    `print(${call("speech.save", [name])}, speech.duration)`,
  );
}

export function transcribe(filename, keywords) {
  return program(
    `transcript = ${call("client.audio.transcribe", [filename], keywords)}`,
    "print(transcript.language, transcript.text)",
  );
}

export const listBases = () => program("for base in client.knowledge_bases.list():", "    print(base.kb_id, base.name)");

export const createBase = (name) =>
  program(`base = ${call("client.knowledge_bases.create", [name])}`, "print(base.kb_id)");

export const deleteBase = (id) => program(call("client.knowledge_bases.delete", [id]));

export const deleteDocument = (id, document) => program(call("client.knowledge_bases.delete_document", [id, document]));

export function addDocuments(id, filenames) {
  return program(
    `for task in ${call("client.knowledge_bases.upload_documents", [id, filenames], { wait: true })}:`,
    "    print(task.task_id, task.status)",
  );
}

export function search(query, id, keywords) {
  return program(
    `found = ${call("client.knowledge_bases.search", [query, id], keywords)}`,
    "for passage in found.results:",
    '    print(passage.similarity_score, passage.metadata["filename"], passage.content)',
  );
}

export function ask(question, id, keywords) {
  return program(
    `stream = ${call("client.knowledge_bases.ask_stream", [question, id], keywords)}`,
    "for text in stream:",
    '    print(text, end="", flush=True)',
    "for source in stream.sources:",
    '    print(source.metadata["filename"], source.similarity_score)',
  );
}

export const listSessions = () =>
  program("for session in client.sessions.list():", "    print(session.session_id, session.name)");

export function createSession({ name, agent_config }) {
  const keywords = { name, agent_config: Object.keys(agent_config).length ? agent_config : undefined };
  return program(`session = ${call("client.sessions.create", [], keywords)}`, "print(session.session_id)");
}

export function say(id, prompt) {
  return program(
    `session = ${call("client.sessions.get", [id])}`,
    `stream = ${call("session.stream", [prompt])}`,
    PRINT_STREAM,
  );
}

export function history(id) {
  return program(
    `session = ${call("client.sessions.get", [id])}`,
    "for message in session.history(limit=1000):",
    "    print(message.role, message.content)",
  );
}

export const deleteSession = (id) => program(call("client.sessions.delete", [id]));

export function tasks(keywords) {
  return program(
    `for task in ${call("client.tasks.list", [], keywords)}:`,
    "    print(task.task_id, task.task_type, task.status, task.progress)",
  );
}

export const task = (id) => program(`task = ${call("client.tasks.get", [id])}`, "print(task.status, task.output)");

export const cancel = (id) => program(`task = ${call("client.tasks.cancel", [id])}`, "print(task.status)");

// The SDK has no name for the platform's tally, but it sees the same tasks.
export const usage = () =>
  program(
    "tokens = 0",
    "for task in client.tasks.iter():",
    '    tokens += ((task.output or {}).get("usage") or {}).get("total_tokens", 0)',
    "print(tokens)",
  );
