// The page: choose a pipeline, ask it, show its answer and the same request as curl and Python.
import { TASKS } from "/page/tasks.js";
import { bars, element, tokenRow } from "/page/views.js";
import { wordsOf } from "/page/words.js";

const at = (id) => document.getElementById(id);
const state = { language: "en", models: [], texts: {}, asked: 0, answered: null };

function words() {
  return wordsOf(state.language);
}

function chosen() {
  return state.models.find((model) => model.id === at("pipeline").value);
}

function showWords() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  document.title = `ernie-triton · ${words().title}`;
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = words()[one.dataset.word];
  const other = at("language");
  other.textContent = state.language === "zh" ? "English" : "中文";
  other.lang = state.language === "zh" ? "en" : "zh-CN";
  showAbout();
}

function showAbout() {
  const model = chosen();
  const away = model && !model.ready ? ` · ${words().away}` : "";
  at("about").textContent = model ? words().tasks[model.task] + away : "";
  for (const label of at("fields").querySelectorAll("label")) label.textContent = words()[label.dataset.name];
}

function fieldsOf(model) {
  return TASKS[model.task].fields(model.inputs);
}

function showFields() {
  const model = chosen();
  at("fields").replaceChildren();
  if (!model) return;
  for (const field of fieldsOf(model)) {
    const label = element("label");
    label.htmlFor = `field-${field.name}`;
    label.dataset.name = field.word || field.name;
    const area = element("textarea");
    area.id = label.htmlFor;
    area.rows = field.rows;
    area.value = state.texts[field.name] ?? field.example;
    area.addEventListener("input", () => { state.texts[field.name] = area.value; });
    at("fields").append(label, area);
  }
  showAbout();
}

function showExample() {
  for (const field of fieldsOf(chosen())) delete state.texts[field.name];
  showFields();
}

function body() {
  const model = chosen();
  const texts = Object.fromEntries(
    fieldsOf(model).map((field) => [field.name, at(`field-${field.name}`).value]));
  return { model: model.id, ...TASKS[model.task].body(texts) };
}

function headers() {
  const key = at("key").value;
  return { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

function showProblem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

async function problemOf(response) {
  if (response.status === 401) {
    at("key-field").hidden = false;
    return words().needsKey;
  }
  const problem = await response.json().catch(() => ({}));
  return [problem.title || response.status, problem.detail, problem.mend].filter(Boolean).join(" — ");
}

async function ask(event) {
  event.preventDefault();
  const model = chosen();
  if (!model) return showModels();
  const asked = body();
  showSame(asked);
  const number = ++state.asked;
  setBusy(true);
  const started = performance.now();
  try {
    const response = await fetch(TASKS[model.task].path, {
      method: "POST", headers: { ...headers(), "x-stage-times": "1" }, body: JSON.stringify(asked),
    });
    const answer = response.ok ? await response.json() : null;
    const problem = response.ok ? "" : await problemOf(response);
    if (number !== state.asked) return;
    showProblem(problem);
    at("result").replaceChildren(...(answer ? TASKS[model.task].view(answer, asked, words()) : []));
    offerTokens(answer && { asked, task: TASKS[model.task] });
    showTimes(answer ? response.headers.get("server-timing") : "", performance.now() - started);
  } catch (error) {
    if (number !== state.asked) return;
    at("result").replaceChildren();
    offerTokens(null);
    showTimes("", 0);
    showProblem(words().unreachable);
  } finally {
    if (number === state.asked) setBusy(false);
  }
}

function offerTokens(answered) {
  state.answered = answered;
  at("tokens").hidden = !answered;
  at("shown").replaceChildren();
  showTokens();
}

async function showTokens() {
  showLink();
  const answered = state.answered;
  if (!at("tokens").open || !answered || at("shown").childElementCount) return;
  const { asked, task } = answered;
  const texts = { model: asked.model, ...(task.tokens ? task.tokens(asked) : asked) };
  delete texts.top_k;
  try {
    const response = await fetch("/v1/tokenize", {
      method: "POST", headers: headers(), body: JSON.stringify(texts),
    });
    const rows = response.ok ? (await response.json()).results.map((row) => tokenRow(row, words()))
      : [element("p", await problemOf(response))];
    if (answered === state.answered) at("shown").replaceChildren(...rows);
  } catch (error) {
    at("shown").replaceChildren(element("p", words().unreachable));
  }
}

function setBusy(isBusy) {
  at("run").disabled = isBusy;
  at("run").firstElementChild.textContent = isBusy ? words().running : words().run;
  at("answer").setAttribute("aria-busy", String(isBusy));
}

function showTimes(timing, whole) {
  at("times").replaceChildren();
  if (!timing) return;
  const known = { all: words().gateway, model: words().model };
  const found = [...timing.matchAll(/([^;, ]+);dur=([\d.]+)(?:;desc="(\d+)")?/g)];
  const spent = found.map(([, name, milliseconds, requests]) => ({
    name: (known[name] ?? words().stage(name)) + (requests > 1 ? words().mean(requests) : ""),
    score: Number(milliseconds), isKnown: name in known,
  }));
  at("times").append(element("h2", words().time), bars([
    { name: words().browser, score: whole }, ...spent.filter((one) => one.isKnown).reverse(),
    ...spent.filter((one) => !one.isKnown),
  ], () => true, (milliseconds) => milliseconds.toFixed(1)));
}

function showSame(asked) {
  const url = location.origin + TASKS[chosen().task].path;
  const json = JSON.stringify(asked);
  const shell = `'${json.replaceAll("'", "'\\''")}'`;
  const key = at("key").value ? " --header 'Authorization: Bearer KEY'" : "";
  at("curl").textContent = `curl --silent ${url}${key} --header 'Content-Type: application/json' --data ${shell}`;
  at("python").textContent = pythonOf(url, json, Boolean(key));
  at("same").hidden = false;
  showLink();
}

function showLink() {
  if (!chosen()) return;
  const hash = new URLSearchParams({ model: chosen().id, lang: state.language });
  for (const field of fieldsOf(chosen())) hash.set(field.name, at(`field-${field.name}`).value);
  if (at("tokens").open) hash.set("tokens", "1");
  at("link").href = `#${hash}`;
}

function pythonOf(url, json, hasKey) {
  const key = hasKey ? ', "Authorization": "Bearer KEY"' : "";
  return [
    "import json", "import urllib.request", "",
    `body = json.loads(${JSON.stringify(json)})`,
    "request = urllib.request.Request(",
    `    ${JSON.stringify(url)},`,
    "    data=json.dumps(body).encode(),",
    `    headers={"Content-Type": "application/json"${key}},`,
    ")",
    "with urllib.request.urlopen(request) as answer:",
    "    print(json.load(answer))",
  ].join("\n");
}

async function showModels() {
  try {
    const response = await fetch("/v1/models", { headers: headers() });
    if (!response.ok) return showProblem(await problemOf(response));
    state.models = (await response.json()).data.filter((model) => model.task in TASKS);
  } catch (error) {
    return showProblem(words().unreachable);
  }
  showProblem(state.models.length ? "" : words().noPipelines);
  const wanted = fromHash().get("model") || at("pipeline").value;
  at("pipeline").replaceChildren(...state.models.map((model) => {
    const option = element("option", model.id);
    option.value = model.id;
    option.selected = model.id === wanted;
    return option;
  }));
  showFields();
}

function fromHash() {
  return new URLSearchParams(location.hash.slice(1));
}

async function copy(event) {
  const button = event.currentTarget;
  const text = at(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) { // no clipboard without HTTPS
    getSelection().selectAllChildren(at(button.dataset.copy));
    document.execCommand("copy");
  }
  button.textContent = words().copied;
  setTimeout(() => { button.textContent = words().copy; }, 1500);
}

async function begin() {
  const hash = fromHash();
  const given = hash.get("lang") || localStorage.getItem("language") || navigator.language;
  state.language = given.startsWith("zh") ? "zh" : "en";
  for (const [name, text] of hash) if (!["model", "lang", "tokens"].includes(name)) state.texts[name] = text;
  if (hash.get("tokens")) at("tokens").open = true;
  at("key").value = sessionStorage.getItem("key") || "";
  at("key-field").hidden = !at("key").value;
  showWords();
  await showModels();
  const asked = chosen() && hash.get("model") === chosen().id;
  if (asked && fieldsOf(chosen()).every((field) => hash.has(field.name))) at("ask").requestSubmit();
}

at("ask").addEventListener("submit", ask);
at("ask").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});
at("pipeline").addEventListener("change", showFields);
at("tokens").addEventListener("toggle", showTokens);
at("example").addEventListener("click", () => (chosen() ? showExample() : showModels()));
at("language").addEventListener("click", () => {
  state.language = state.language === "zh" ? "en" : "zh";
  localStorage.setItem("language", state.language);
  showWords();
});
at("key").addEventListener("change", () => {
  sessionStorage.setItem("key", at("key").value);
  showModels();
});
addEventListener("hashchange", begin);
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", copy);
begin();
