const data = JSON.parse(document.getElementById("data").textContent);
const clips = JSON.parse(document.getElementById("clips").textContent);
const canvas = document.querySelector("canvas"), plane = canvas.parentElement;
const select = document.getElementById("colour"), find = document.getElementById("find");
const shown = document.getElementById("shown"), hits = document.getElementById("hits");
const REACH = 14, HITS = 12, SIDE = 65535;
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
for (const layer of data.layers) {
  layer.points = new Uint16Array(bytes(layer.points));
  layer.videos = new Uint32Array(bytes(layer.videos));
  for (const colouring of layer.colourings) colouring.codes = new Uint8Array(bytes(colouring.codes));
  layer.count = layer.points.length / 2;
}
let layer, colouring, hidden = new Set(), found = null, at = -1, kept = false;
const view = { zoom: 1, x: SIDE / 2, y: SIDE / 2 };

const ends = (point) => [...layer.videos.subarray(point * layer.ends, (point + 1) * layer.ends)];
const words = (point) => [layer.texts[point] || "", ...ends(point).flatMap((n) => [data.ids[n], data.captions[n]])].join(" ");
// Sizes are read once for all points: each look at them may lay out the page anew.
const frame = () => {
  const [width, height] = [plane.clientWidth, plane.clientHeight];
  return { width, height, scale: (Math.min(width, height) * 0.92 * view.zoom) / SIDE };
};
const scale = () => frame().scale;
const place = (point, { width, height, scale: s } = frame()) => [
  width / 2 + (layer.points[2 * point] - view.x) * s,
  height / 2 - (layer.points[2 * point + 1] - view.y) * s,
];
const isSeen = (point) => !hidden.has(colouring ? colouring.codes[point] : 0) && (!found || found.has(point));

const drawn = document.createElement("canvas");
const FEW = 5000;
let radius = 3;

function draw() {
  const ratio = devicePixelRatio || 1, here = frame(), { width, height } = here;
  canvas.width = drawn.width = width * ratio;
  canvas.height = drawn.height = height * ratio;
  const pen = drawn.getContext("2d"), style = getComputedStyle(document.documentElement);
  pen.scale(ratio, ratio);
  const colours = [1, 2, 3, 4, 5, 6].map((n) => style.getPropertyValue(`--s${n}`)).concat(style.getPropertyValue("--muted"));
  radius = Math.max(1.5, Math.min(5, 60 / Math.sqrt(layer.count) + Math.log2(view.zoom)));
  const isFew = layer.count < FEW;
  for (const seen of [false, true]) {
    pen.globalAlpha = seen ? 0.8 : 0.07;
    colours.forEach((ink, code) => {
      pen.fillStyle = pen.strokeStyle = ink;
      for (let point = 0; point < layer.count; point++) {
        if ((colouring ? colouring.codes[point] : 0) !== code || isSeen(point) !== seen) continue;
        const [x, y] = place(point, here);
        if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
        if (isFew) {
          pen.beginPath();
          pen.arc(x, y, radius, 0, 7);
          pen.fill();
        } else pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
        if (isFew && ends(point).every((n) => clips[data.ids[n]])) {
          pen.beginPath();
          pen.arc(x, y, radius + 2, 0, 7);
          pen.stroke();
        }
      }
    });
  }
  ring();
}

// What is under the pointer changes often, all other points seldom: they are copied.
function ring() {
  const pen = canvas.getContext("2d"), ratio = devicePixelRatio || 1;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawn, 0, 0);
  if (at < 0) return;
  pen.scale(ratio, ratio);
  const [x, y] = place(at);
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
  pen.lineWidth = 2.5;
  pen.beginPath();
  pen.arc(x, y, radius + 5, 0, 7);
  pen.stroke();
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function figure(number, role) {
  const id = data.ids[number], caption = data.captions[number];
  const source = clips[id];
  const medium = source
    ? element("video", { className: "clip", src: source, muted: true, loop: true, autoplay: true, playsInline: true })
    : element("div", { className: "clip none", textContent: "clip not on this page" });
  medium.setAttribute("aria-label", `${role} clip: ${caption || id}`);
  if (source && matchMedia("(prefers-reduced-motion: reduce)").matches) medium.autoplay = false;
  if (source) medium.addEventListener("click", () => (medium.paused ? medium.play() : medium.pause()));
  return element("figure", {}, medium, element("figcaption", {}, element("b", { textContent: `${role} ${id}` }), caption));
}

function show(point) {
  if (point === at) return;
  at = point;
  if (point >= 0) {
    const roles = layer.ends === 2 ? ["Reference", "Target"] : ["Video"];
    const couple = element("div", { className: layer.ends === 2 ? "couple" : "couple one" });
    couple.append(...ends(point).map((number, end) => figure(number, roles[end])));
    shown.replaceChildren(couple);
    if (layer.texts[point]) shown.append(element("p", { className: "edit", textContent: layer.texts[point] }));
    const said = layer.colourings.map((one) => one.values[one.codes[point]].replace(/ \([\d,]+\)$/, ""));
    shown.append(element("ul", { className: "chips" }, ...said.map((value) => element("li", { textContent: value }))));
  }
  ring();
}

function nearest(x, y, from = () => true) {
  let best = -1, least = Infinity;
  const here = frame();
  for (let point = 0; point < layer.count; point++) {
    const [px, py] = place(point, here), far = (px - x) ** 2 + (py - y) ** 2;
    if (far < least && isSeen(point) && from(px, py, point)) [best, least] = [point, far];
  }
  return [best, Math.sqrt(least)];
}

function goTo(point) {
  [view.x, view.y] = [layer.points[2 * point], layer.points[2 * point + 1]];
  kept = true;
  show(point);
  draw();
}

function search() {
  const wanted = find.value.trim();
  const begins = new RegExp(`(?<![\\p{L}\\p{N}])${wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`, "iu");
  found = null;
  hits.replaceChildren();
  if (wanted) {
    found = new Set();
    for (let point = 0; point < layer.count; point++) if (begins.test(words(point))) found.add(point);
    for (const point of [...found].slice(0, HITS)) {
      const label = layer.texts[point] || data.captions[ends(point)[0]] || data.ids[ends(point)[0]];
      const button = element("button", { type: "button", textContent: label });
      button.addEventListener("click", () => goTo(point));
      hits.append(element("li", {}, button));
    }
    const more = found.size > HITS ? `, the first ${HITS} are listed` : "";
    hits.prepend(element("li", { className: "note", textContent: `${found.size.toLocaleString("en")} found${more}` }));
  }
  draw();
}

function colour(number) {
  colouring = layer.colourings[number];
  hidden = new Set();
  const legend = document.querySelector(".legend");
  legend.replaceChildren();
  (colouring ? colouring.values : []).forEach((value, code) => {
    const swatch = element("span", { className: `swatch ${code < 6 ? `s${code + 1}` : "other"}` });
    const button = element("button", { type: "button" }, swatch, value);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      if (!hidden.delete(code)) hidden.add(code);
      button.setAttribute("aria-pressed", String(!hidden.has(code)));
      draw();
    });
    legend.append(element("li", {}, button));
  });
  draw();
}

function choose(number) {
  layer = data.layers[number];
  [at, kept] = [-1, false];
  document.getElementById("note").textContent = layer.note;
  select.replaceChildren(...layer.colourings.map((one, value) => element("option", { value, textContent: one.name })));
  colour(0);
  zoom(0);
  search();
}

function zoom(by, x = plane.clientWidth / 2, y = plane.clientHeight / 2) {
  const before = scale();
  if (by) {
    view.zoom = Math.min(400, Math.max(0.5, view.zoom * by));
    view.x += (x - plane.clientWidth / 2) * (1 / before - 1 / scale());
    view.y -= (y - plane.clientHeight / 2) * (1 / before - 1 / scale());
  } else Object.assign(view, { zoom: 1, x: SIDE / 2, y: SIDE / 2 });
  draw();
}

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, y: event.offsetY, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  const [x, y] = [event.offsetX, event.offsetY];
  if (drag && (drag.moved || Math.hypot(x - drag.x, y - drag.y) > 4)) {
    view.x -= (x - drag.x) / scale();
    view.y += (y - drag.y) / scale();
    drag = { x, y, moved: true };
    draw();
  } else if (!kept) {
    const [point, far] = nearest(x, y);
    if (far < REACH) show(point);
  }
});
canvas.addEventListener("pointerup", (event) => {
  if (drag && !drag.moved) {
    const [point, far] = nearest(event.offsetX, event.offsetY);
    kept = far < REACH * 1.6;
    if (kept) show(point);
  }
  drag = null;
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.offsetX, event.offsetY);
}, { passive: false });
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Enter") kept = !kept;
  const way = WAYS[event.key];
  if (!way) return;
  event.preventDefault();
  const [x, y] = at >= 0 ? place(at) : [plane.clientWidth / 2, plane.clientHeight / 2];
  const isAhead = (px, py, point) => {
    const ahead = (px - x) * way[0] + (py - y) * way[1], aside = Math.abs((px - x) * way[1]) + Math.abs((py - y) * way[0]);
    return point !== at && (at < 0 || (ahead > 0 && ahead >= aside));
  };
  const [point] = nearest(x, y, isAhead);
  if (point >= 0) show(point);
});
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
}
for (const radio of document.querySelectorAll("[name=layer]")) radio.addEventListener("change", () => choose(Number(radio.value)));
select.addEventListener("change", () => colour(Number(select.value)));
find.addEventListener("input", search);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
choose(0);
