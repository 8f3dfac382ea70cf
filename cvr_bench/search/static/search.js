// The page of `cvr serve`. All words from the library enter through textContent. A step of a search stands in the
// address after #, so that back, forward and a bookmark lead to it; the token stays in front of it.
import { medium } from "/player.js";

const address = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);
const uploads = new Map();
let state = null;
let steps = [];
let reference = null;
let current = null;
let asked = 0;
let maxUpload = Infinity;
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;

const url = (path, more = {}) => {
  const query = new URLSearchParams([...address, ...Object.entries(more)]);
  return query.size ? `${path}?${query}` : path;
};
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const shownScore = (value) => (value == null ? "–" : value.toFixed(3));

function element(tag, words = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function complain(words) {
  $("banner").textContent = words;
  $("banner").hidden = !words;
}

async function ask(path, request) {
  try {
    const answer = await fetch(path, request);
    const content = await answer.json();
    complain(answer.ok ? "" : content.error);
    return answer.ok ? content : null;
  } catch {
    complain("The server does not answer. Is cvr serve still running?");
    return null;
  }
}

const post = (path, body) =>
  ask(url(path), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// Clips play while they are seen.

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    target.isSeen = isIntersecting;
    run(target);
  }
});

function run(video) {
  if (playing && video.isSeen) video.play().catch(() => {});
  else video.pause();
}

function screen(side, label) {
  const made = element("div", "", { class: "screen" });
  const shown = medium(side, url);
  if (shown instanceof HTMLImageElement) shown.alt = label;
  else if (side.kind) shown.setAttribute("aria-label", label);
  if (shown instanceof HTMLVideoElement) {
    shown.preload = "metadata";
    const again = () => {
      if (!playing || !shown.isSeen || !(shown.ended || shown.currentTime >= shown.endS - 0.01)) return;
      shown.currentTime = shown.startS;
      shown.play().catch(() => {});
    };
    for (const event of ["ended", "pause"]) shown.addEventListener(event, again);
    seen.observe(shown);
  }
  made.append(shown);
  return made;
}

function forget(parent) {
  for (const video of parent.querySelectorAll("video")) {
    seen.unobserve(video);
    video.pause();
    video.removeAttribute("src");
    video.load();
  }
  parent.replaceChildren();
}

function setPlaying(value) {
  playing = value;
  $("motion").setAttribute("aria-pressed", String(!playing));
  for (const video of document.querySelectorAll("video")) {
    if (playing && video.currentTime >= video.endS - 0.01) video.currentTime = video.startS;
    run(video);
  }
}

// What is loaded.

async function watch() {
  for (;;) {
    let found = null;
    try {
      const answer = await fetch(url("/api/status"));
      found = await answer.json();
      if (!answer.ok) return complain(found.error);
    } catch {
      complain("The server does not answer. Is cvr serve still running?");
    }
    if (found) {
      if (!state?.ready && found.ready) complain("");
      state = found;
      showState(found);
      if (found.ready && found.doing === "ready") return restore();
      if (found.ready && !current) restore();
    }
    await pause(found?.ready ? 3000 : 400);
  }
}

function showState(found) {
  maxUpload = found.max_upload;
  $("loading").hidden = found.ready;
  const done = found.total ? `, ${found.done.toLocaleString("en")} of ${found.total.toLocaleString("en")} videos` : "";
  $("load-words").textContent = `Loading: ${found.doing}${done} (${Math.round(found.seconds)} s)`;
  if (found.total) {
    $("load-progress").max = found.total;
    $("load-progress").value = found.done;
  } else $("load-progress").removeAttribute("value");
  const how = found.recall_at_10 == null ? "exact" : `recall ${(100 * found.recall_at_10).toFixed(1)} % of an exact search`;
  $("about").textContent = found.videos == null ? found.folder
    : `${found.videos.toLocaleString("en")} videos of ${found.folder}, ${found.model}, ${found.doing === "ready" ? how : found.doing}`;
  showMarks(found.marks);
  $("go").disabled = !found.ready;
}

function showMarks(marks) {
  $("marks").textContent = marks && marks.right + marks.wrong ? `${marks.right} right, ${marks.wrong} wrong` : "";
}

// A question, and its answer.

function setReference(side, { focus = false } = {}) {
  reference = side;
  forget($("reference-screen"));
  $("reference").hidden = !side;
  $("choose").hidden = Boolean(side);
  $("text-label").textContent = side ? "What should be different" : "What should be seen";
  if (side) {
    const label = side.caption || side.video;
    $("reference-screen").append(...screen(side, `The clip to start from: ${label}`).childNodes);
    $("reference-caption").textContent = label;
  }
  if (focus) $("text").focus();
}

function question() {
  const listed = (id) => ($(id).value.trim() ? [$(id).value.trim()] : []);
  return { like: reference?.video ?? null, texts: listed("text"), without: listed("without") };
}

const sameQuestion = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function addressOf(asking) {
  const parts = [["like", asking.like], ["text", asking.texts[0]], ["not", asking.without[0]]];
  return `#${new URLSearchParams(parts.filter(([, value]) => value))}`;
}

async function search(asking, { push = true } = {}) {
  if (!asking.like && !asking.texts.length) {
    $("said").textContent = "Type a text, or choose a clip to start from.";
    $("text").focus();
    return;
  }
  const turn = ++asked;
  $("found").classList.add("old");
  $("said").textContent = "Searching …";
  const answer = await post("/api/search", { ...asking, count: 12 });
  if (turn !== asked) return;
  $("found").classList.remove("old");
  if (!answer) {
    $("said").textContent = "";
    return;
  }
  current = { asking, canMark: answer.can_mark };
  if (push && addressOf(asking) !== location.hash) history.pushState(null, "", addressOf(asking));
  const place = steps.findIndex((step) => sameQuestion(step, asking));
  if (place < 0) steps.push(asking);
  if (answer.like) uploads.set(answer.like.video, answer.like);
  showTrail(asking);
  showFound(answer);
}

function showTrail(asking) {
  $("trail").hidden = steps.length < 2;
  $("steps").replaceChildren(...steps.map((step) => {
    const like = step.like && (uploads.get(step.like)?.caption || step.like);
    const words = [like, ...step.texts, ...step.without.map((text) => `without ${text}`)].filter(Boolean).join(" + ");
    const button = element("button", words, { type: "button" });
    if (sameQuestion(step, asking)) button.setAttribute("aria-current", "step");
    button.addEventListener("click", () => { setQuestion(step); search(step); });
    const entry = element("li");
    entry.append(button);
    return entry;
  }));
}

function showFound(answer) {
  forget($("found"));
  const marking = current.asking.like && !answer.can_mark ? " To mark answers, start from a clip of the library and give a text." : "";
  $("said").textContent = `${answer.results.length} found in ${answer.took_ms} ms.${marking}`;
  $("found").append(...answer.results.map((hit, index) => card(hit, index)));
}

function card(hit, index) {
  const name = hit.caption || hit.video;
  const entry = element("li", "", { class: "hit", tabindex: "-1", "aria-label": `${index + 1}: ${name}` });
  entry.hit = hit;
  const scores = element("dl", "", { class: "scores" });
  for (const [label, value] of [["score", hit.score], ["by text", hit.by_text], ["by video", hit.by_video]]) {
    const part = element("div");
    part.append(element("dt", label), element("dd", shownScore(value)));
    scores.append(part);
  }
  const actions = element("div", "", { class: "actions" });
  actions.append(
    action("refine", "Search on from this", name, () => refine(hit)),
    action("why-button", "Why?", name, () => toggleWhy(entry)),
  );
  actions.lastChild.setAttribute("aria-expanded", "false");
  if (current.canMark) {
    for (const [mark, words, kind] of [["right", "Right", "good"], ["wrong", "Wrong", "bad"]]) {
      actions.append(action(`${kind} mark`, words, name, () => setMark(entry, mark)));
      actions.lastChild.dataset.mark = mark;
    }
  }
  entry.append(screen(hit, name), element("h2", name), element("p", hit.caption ? hit.video : "", { class: "id" }), scores, actions);
  showMark(entry);
  return entry;
}

function action(kind, words, name, act) {
  const button = element("button", words, { type: "button", class: kind, "aria-label": `${words}: ${name}` });
  button.addEventListener("click", act);
  return button;
}

function refine(hit) {
  uploads.set(hit.video, hit);
  setReference(hit);
  $("text").value = $("without").value = "";
  $("said").textContent = "Say what should be different from this clip.";
  $("text").focus();
  scrollTo({ top: 0 });
}

async function setMark(entry, mark) {
  const wanted = entry.hit.mark === mark ? null : mark;
  const answer = await post("/api/marks", { ...current.asking, video: entry.hit.video, mark: wanted });
  if (!answer) return;
  entry.hit.mark = answer.mark;
  showMark(entry);
  showMarks(answer.marks);
  $("said").textContent = answer.mark ? `Marked ${answer.mark}: ${entry.hit.caption || entry.hit.video}` : "Mark taken back.";
}

function showMark(entry) {
  for (const mark of ["right", "wrong"]) {
    entry.classList.toggle(mark, entry.hit.mark === mark);
    entry.querySelector(`[data-mark="${mark}"]`)?.setAttribute("aria-pressed", String(entry.hit.mark === mark));
  }
}

// Why.

async function toggleWhy(entry) {
  const button = entry.querySelector(".why-button");
  const open = entry.querySelector(".why");
  button.setAttribute("aria-expanded", String(!open));
  if (open) return open.remove();
  const panel = element("section", "", { class: "why", "aria-label": `Why ${entry.hit.caption || entry.hit.video} was found` });
  panel.append(element("p", "Asking …"));
  entry.append(panel);
  const why = await post("/api/why", { ...current.asking, video: entry.hit.video });
  if (!why) return panel.remove();
  panel.replaceChildren();
  const strip = element("img", "", { alt: "The frames that were looked at, first to last", src: url(`/strip/${entry.hit.number}`) });
  strip.addEventListener("error", () => strip.replaceWith(element("p", "Its frames cannot be shown: there is no clip on disk.")));
  if (entry.hit.kind) panel.append(strip);
  for (const said of why.texts) panel.append(...part(`“${said.text}”: ${shownScore(said.score)}`, said.frames));
  for (const said of why.without) panel.append(...part(`not “${said.text}”: ${shownScore(said.score)}, of which half is taken away`, said.frames));
  if (why.by_video != null) panel.append(...part(`the clip: ${shownScore(why.by_video)}`, why.frames_by_video));
  panel.append(element("p", "Cosines of each input with the whole video, and below with each of its frames."));
}

function part(title, frames) {
  const most = Math.max(...frames.map(Math.abs), 1e-6);
  const words = frames.map((value, index) => `${index + 1}: ${shownScore(value)}`).join(", ");
  const bars = element("div", "", { class: "bars", role: "img", "aria-label": `By frame, ${words}` });
  for (const value of frames) {
    const bar = element("span", "", { title: shownScore(value), class: value < 0 ? "below" : "" });
    bar.style.height = `${(100 * Math.abs(value)) / most}%`;
    bars.append(bar);
  }
  return [element("h3", title), bars];
}

// Clips to start from.

let listedFrom = 0;

async function listLibrary(more = false) {
  listedFrom = more ? $("library-list").children.length : 0;
  const words = $("library-words").value.trim();
  const found = await ask(url("/api/videos", { words, start: String(listedFrom) }));
  if (!found || words !== $("library-words").value.trim()) return;
  if (!more) forget($("library-list"));
  $("library-list").append(...found.videos.map((video) => {
    const name = video.caption || video.video;
    const button = element("button", "", { type: "button", "aria-label": `Start from ${name}` });
    button.append(screen(video, name), element("span", name));
    button.addEventListener("click", () => {
      uploads.set(video.video, video);
      $("library").close();
      setReference(video, { focus: true });
    });
    const entry = element("li");
    entry.append(button);
    return entry;
  }));
  $("library-said").textContent = `${found.total.toLocaleString("en")} videos`;
  $("library-more").hidden = $("library-list").children.length >= found.total;
}

async function upload(file) {
  if (!file) return;
  if (file.size > maxUpload) return complain(`${file.name} has ${Math.ceil(file.size / 1e6)} MB; a clip may have ${Math.floor(maxUpload / 1e6)}.`);
  $("drop-words").textContent = `Looking at ${file.name} …`;
  const request = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
  const made = await ask(url("/api/uploads", { name: file.name }), request);
  $("drop-words").textContent = "Drop a clip here, or";
  $("file").value = "";
  if (!made) return;
  uploads.set(made.video, made);
  setReference(made, { focus: true });
}

// The address, and keys.

function setQuestion(asking) {
  const side = asking.like ? uploads.get(asking.like) : null;
  setReference(side ?? (asking.like ? { video: asking.like, caption: asking.like, kind: null } : null));
  $("text").value = asking.texts[0] ?? "";
  $("without").value = asking.without[0] ?? "";
}

async function restore() {
  const given = new URLSearchParams(location.hash.slice(1));
  const listed = (name) => (given.get(name) ? [given.get(name)] : []);
  const asking = { like: given.get("like"), texts: listed("text"), without: listed("not") };
  if (current && sameQuestion(current.asking, asking)) return;
  if (!asking.like && !asking.texts.length) return;
  setQuestion(asking);
  await search(asking, { push: false });
  if (asking.like && reference?.kind === null && uploads.get(asking.like)) setReference(uploads.get(asking.like));
}

function move(by) {
  const hits = [...$("found").children];
  const here = hits.indexOf(document.activeElement.closest?.(".hit"));
  const next = hits[Math.min(hits.length - 1, Math.max(0, here < 0 ? 0 : here + by))];
  next?.focus();
}

const ofHit = {
  f: (entry) => refine(entry.hit),
  w: (entry) => toggleWhy(entry),
  r: (entry) => current.canMark && setMark(entry, "right"),
  x: (entry) => current.canMark && setMark(entry, "wrong"),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isTyping = event.target instanceof HTMLInputElement && event.target.type !== "file";
  const isButton = event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
  if (isTyping || isButton || event.repeat) return;
  const hit = event.target.closest?.(".hit");
  if (event.key === "/") $("text").focus();
  else if (event.key === "?") $("help").showModal();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!$("found").children.length) return;
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === " ") setPlaying(!playing);
  else if (hit && ofHit[event.key.toLowerCase()]) ofHit[event.key.toLowerCase()](hit);
  else return;
  event.preventDefault();
});

$("ask").addEventListener("submit", (event) => { event.preventDefault(); search(question()); });
$("motion").addEventListener("click", () => setPlaying(!playing));
$("help-button").addEventListener("click", () => $("help").showModal());
$("help-close").addEventListener("click", () => $("help").close());
$("drop-reference").addEventListener("click", () => { setReference(null); $("pick").focus(); });
$("pick").addEventListener("click", () => { $("library").showModal(); listLibrary(); });
$("library-close").addEventListener("click", () => $("library").close());
$("library").addEventListener("close", () => { forget($("library-list")); });
$("library-more").addEventListener("click", () => listLibrary(true));
let typing;
$("library-words").addEventListener("input", () => {
  clearTimeout(typing);  // what is not yet a word is not looked for
  typing = setTimeout(listLibrary, 150);
});
$("file").addEventListener("change", () => upload($("file").files[0]));
for (const name of ["dragover", "dragenter"]) {
  addEventListener(name, (event) => { event.preventDefault(); $("start").classList.add("over"); });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("start").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  $("start").classList.remove("over");
  upload(event.dataTransfer?.files[0]);
});
addEventListener("popstate", restore);
setPlaying(playing);
watch();
