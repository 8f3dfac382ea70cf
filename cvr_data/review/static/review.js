// The page of `cvr review`. All words from the dataset enter through textContent; nothing is stored here but a judgment
// on its way, so that a reload or a server that went away loses nothing.
import { Couple } from "/player.js";

const address = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);
const couple = new Couple($("reference"), $("target"), url);
let state = null;
let reasons = {};
let texts = [];
let chosen = 0;
let also = new Set();
let near = [];
let shownAt = 0;
let busy = true;
let noteMode = false;

function url(path) {
  return address.size ? `${path}?${address}` : path;
}

function element(tag, words, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function say(words) {
  $("banner").textContent = words;
  $("banner").hidden = !words;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Ask until the server answers: the same request twice is stored once, so asking again is safe.
async function ask(path, body) {
  const request = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  for (let wait = 250; ; wait = Math.min(2 * wait, 2000)) {
    try {
      const answer = await fetch(url(path), request || {});
      if (answer.status < 500) {
        const content = await answer.json();
        say(answer.ok || answer.status === 409 ? "" : content.error);
        return { ok: answer.ok, taken: answer.status === 409, content };
      }
    } catch { /* the server is away */ }
    say("The server is away. Nothing is lost; trying again …");
    await pause(wait);
  }
}

const pendingName = () => `cvr-review ${address.get("annotator") || ""}`;

async function start() {
  const pending = localStorage.getItem(pendingName());
  if (pending) {
    await ask("/api/judgments", JSON.parse(pending));
    localStorage.removeItem(pendingName());
  }
  const { ok, content } = await ask("/api/state");
  if (ok) show(content);
}

async function judge(decision, more = {}) {
  if (busy || !state.item) return;
  busy = true;
  close();
  const body = {
    request_id: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`,
    item_id: state.item.item_id,
    decision,
    chosen: texts[chosen],
    also_correct: [...also],
    seconds: (performance.now() - shownAt) / 1000,
    ...more,
  };
  localStorage.setItem(pendingName(), JSON.stringify(body));
  const { ok, taken, content } = await ask("/api/judgments", body);
  localStorage.removeItem(pendingName());
  if (ok || taken) show(content);
  else busy = false;
}

async function undo() {
  if (busy || !state.last) return;
  busy = true;
  close();
  const { ok, content } = await ask("/api/undo", { request_id: state.last });
  if (ok) show(content);
  else busy = false;
}

function show(found) {
  state = found;
  reasons = found.reasons || reasons;
  $("who").textContent = found.annotator;
  $("count").textContent = `${found.done} of ${found.total}`;
  $("progress").max = found.total || 1;
  $("progress").value = found.done;
  $("main").hidden = !found.item;
  $("end").hidden = Boolean(found.item);
  $("end-words").textContent = `${found.total} items. You may close this page.`;
  for (const button of document.querySelectorAll('[data-key="u"]')) button.disabled = !found.last;
  if (found.item) showItem(found.item, found.previous);
  else couple.clear();
  const next = found.item ? texts.map((words, index) => `${index + 1}: ${words}`).join("; ") : "All is judged";
  $("said").textContent = `${$("count").textContent} judged. ${next}.`;
  busy = false;
}

function showItem(item, previous) {
  texts = item.texts;
  chosen = Math.max(0, previous ? texts.indexOf(previous.chosen) : 0);
  also = new Set(previous ? previous.also_correct : []);
  $("main").dataset.item = item.item_id;
  couple.show(item);
  $("texts").replaceChildren(...texts.map((words, index) => {
    const entry = element("li", words, { role: "radio" });
    entry.addEventListener("click", () => choose(index));
    return entry;
  }));
  choose(chosen);
  const scores = Object.entries(item.scores).map(([name, value]) => [name.replace("_", " "), value.toFixed(3)]);
  const rows = [["what changes", item.changes.join(", ") || "not recorded"], ...scores];
  $("scores").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  $("near-button").hidden = !state.has_neighbours;
  near = [];
  $("near-list").replaceChildren();
  if (!$("near").hidden) showNear();
  shownAt = performance.now();
}

function choose(index) {
  if (index >= texts.length) return;
  chosen = index;
  [...$("texts").children].forEach((entry, place) => {
    entry.setAttribute("aria-checked", String(place === index));
    entry.tabIndex = place === index ? 0 : -1;
  });
}

// What keys do on a text that has the focus, as in any group of radio buttons.
function onText(entry, key) {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[key];
  if (key === "Enter" || key === " ") entry.click();
  else if (!by) return false;
  else choose((chosen + by + texts.length) % texts.length);
  $("texts").children[chosen].focus();
  return true;
}

async function showNear() {
  const item = state.item.item_id;
  const { ok, content } = await ask(`/api/neighbours/${item}`);
  if (!ok || state.item?.item_id !== item) return;
  near = content.neighbours;
  $("near-list").replaceChildren(...near.map((video, index) => {
    const button = element("button", "", { type: "button", title: video.caption });
    const image = element("img", "", { alt: video.caption, loading: "lazy" });
    image.src = url(`/strip/${video.number}`);
    button.append(image);
    if (index < 9) button.append(element("kbd", `⇧${index + 1}`), " ");
    button.append(element("span", video.similarity.toFixed(3)));
    button.addEventListener("click", () => mark(index));
    return button;
  }));
  if (!near.length) $("near-list").textContent = "There are none with stored features.";
  near.forEach((_, index) => mark(index, false));
}

function mark(index, change = true) {
  if (index >= near.length) return;
  const number = near[index].number;
  if (change && !also.delete(number)) also.add(number);
  $("near-list").children[index].setAttribute("aria-pressed", String(also.has(number)));
}

function close() {
  $("words").blur();
  for (const id of ["reasons", "editor"]) $(id).hidden = true;
  document.querySelector('[data-key="r"]').setAttribute("aria-expanded", "false");
}

// Close what is open and go back to the button that opened it.
function cancel() {
  const opener = $("editor").hidden || noteMode ? "r" : "e";
  const isOpen = !$("reasons").hidden || !$("editor").hidden;
  close();
  if (isOpen) document.querySelector(`[data-key="${opener}"]`).focus();
}

function openReasons() {
  close();
  $("reasons").replaceChildren(...Object.entries(reasons).map(([name, words], index) => {
    const button = element("button", "", { type: "button" });
    button.append(element("kbd", String(index + 1)), ` ${words}`);
    button.addEventListener("click", () => reject(name));
    return button;
  }));
  $("reasons").hidden = false;
  document.querySelector('[data-key="r"]').setAttribute("aria-expanded", "true");
  $("reasons").scrollIntoView({ block: "nearest" });
  $("reasons").querySelector("button")?.focus({ preventScroll: true });
}

function reject(reason) {
  if (reason === "other") openEditor(true);
  else judge("reject", { reason });
}

function openEditor(isNote) {
  close();
  noteMode = isNote;
  $("words-label").textContent = isNote ? "What is wrong?" : "The text as it should be";
  $("words").value = isNote ? "" : texts[chosen];
  $("editor").hidden = false;
  $("words").focus();
  $("words").setSelectionRange($("words").value.length, $("words").value.length);
}

function save() {
  const words = $("words").value.trim();
  if (noteMode) judge("reject", { reason: "other", note: words || null });
  else if (words === texts[chosen]) judge("accept");
  else if (words) judge("edit", { modification: words });
}

function toggle(id, key) {
  $(id).hidden = !$(id).hidden;
  document.querySelector(`[data-key="${key}"]`).setAttribute("aria-pressed", String(!$(id).hidden));
}

const actions = {
  a: () => judge("accept"),
  r: openReasons,
  e: () => openEditor(false),
  s: () => judge("skip"),
  c: () => document.querySelector('[data-key="c"]').setAttribute("aria-pressed", String(couple.toggleCaptions())),
  d: () => toggle("scores", "d"),
  f: () => couple.toggleStrips(),
  n: () => {
    if (!state.has_neighbours) return;
    toggle("near", "n");
    if (!$("near").hidden && !near.length) showNear();
  },
  " ": () => couple.toggle(),
};

function press(key) {
  if (key === "u") undo();
  else if (key === "?") $("help").showModal();
  else if (state?.item && !busy && actions[key]) actions[key]();
  else return false;
  return true;
}

function digit(event) {
  const index = Number(event.code.slice(5)) - 1;
  if (event.shiftKey) mark(index);
  else if ($("reasons").hidden) choose(index);
  else if (Object.keys(reasons)[index]) reject(Object.keys(reasons)[index]);
}

addEventListener("keydown", (event) => {
  if ($("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("words")) {
    if (event.key === "Escape") cancel();
    else if (event.key === "Enter" && !event.shiftKey) save();
    else return;
    event.preventDefault();
    return;
  }
  const onButton = event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
  if (event.repeat || onButton) return;
  if (event.key === "Escape") cancel();
  else if (event.target.role === "radio" && onText(event.target, event.key)) { /* chosen */ }
  else if (/^Digit[1-9]$/.test(event.code) && state?.item && !busy) digit(event);
  else if (!press(event.key.toLowerCase())) return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("button[data-key]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // of a pointer: by keyboard the focus stays where it is
    press(button.dataset.key);
  });
}
$("editor").addEventListener("submit", (event) => { event.preventDefault(); save(); });
$("cancel").addEventListener("click", cancel);
$("help-close").addEventListener("click", () => $("help").close());
start();
