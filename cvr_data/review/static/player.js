// Reference and target, looping together: the shorter one waits on its last frame for the longer one. A clip of a
// longer file comes with its times: browsers pause where a media fragment ends, the first time, and do not call that ended.

// The video or image of a side, or the words that stand for one that is not there.
export function medium(side, url) {
  if (!side.kind) {
    const none = document.createElement("p");
    none.className = "none";
    none.textContent = "no clip on disk";
    return none;
  }
  const made = document.createElement(side.kind === "image" ? "img" : "video");
  const startS = side.start_s ?? 0;
  const fragment = side.start_s == null ? "" : `#t=${startS}${side.end_s == null ? "" : `,${side.end_s}`}`;
  made.addEventListener("error", () => made.replaceWith(medium({ kind: null }, url)));
  if (side.kind === "image") {
    made.alt = "";
    made.src = url(side.src ?? `/media/${side.number}`);
    return made;
  }
  made.muted = made.playsInline = true;
  made.startS = startS;
  made.endS = side.end_s ?? Infinity;
  made.addEventListener("timeupdate", () => made.currentTime >= made.endS && made.pause());
  made.src = url(side.src ?? `/media/${side.number}`) + fragment;
  return made;
}

const isOver = (video) => video.ended || Boolean(video.error) || video.currentTime >= video.endS - 0.01;

export class Couple {
  constructor(reference, target, url) {
    this.figures = [reference, target];
    this.url = url;
    this.videos = [];
    this.captions = false;
    this.strips = false;
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const figure of this.figures) {
      const screen = figure.querySelector(".screen");
      screen.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.strip(figure, true));
      screen.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.strip(figure, this.strips));
      screen.addEventListener("click", (event) => {
        if (event.pointerType === "mouse") this.toggle();
        else this.strip(figure, figure.querySelector(".strip")?.hidden ?? true);
      });
    }
  }

  show(item) {
    this.clear();
    const sides = [item.reference, item.target];
    this.figures.forEach((figure, index) => {
      const side = sides[index];
      figure.dataset.number = side.number;
      figure.querySelector(".caption").textContent = side.caption || "no caption";
      figure.querySelector(".caption").hidden = !this.captions && Boolean(side.kind);
      figure.querySelector(".screen").replaceChildren(this.medium(side, figure));
      this.strip(figure, this.strips);
    });
    const ready = this.videos.map((video) => new Promise((resolve) => {
      for (const event of ["canplaythrough", "error"]) video.addEventListener(event, resolve, { once: true });
      setTimeout(resolve, 3000);
    }));
    const videos = this.videos;
    Promise.all(ready).then(() => this.videos === videos && this.restart());
  }

  medium(side, figure) {
    const made = medium(side, this.url);
    const label = `${figure.querySelector("figcaption").textContent} clip`; // its caption is shown on demand only
    if (made instanceof HTMLImageElement) made.alt = label;
    else if (side.kind) made.setAttribute("aria-label", label);
    if (!(made instanceof HTMLVideoElement)) return made;
    made.preload = "auto";
    for (const event of ["ended", "pause"]) {
      made.addEventListener(event, () => this.playing && this.videos.every(isOver) && this.restart());
    }
    this.videos.push(made);
    return made;
  }

  restart() {
    for (const video of this.videos) {
      video.currentTime = video.startS;
      if (this.playing) video.play().catch(() => {});
    }
  }

  toggle() {
    this.playing = !this.playing;
    for (const video of this.videos) {
      if (!this.playing) video.pause();
      else if (this.videos.every(isOver)) return this.restart();
      else if (!isOver(video)) video.play().catch(() => {});
    }
  }

  toggleCaptions() {
    this.captions = !this.captions;
    for (const figure of this.figures) figure.querySelector(".caption").hidden = !this.captions;
    return this.captions;
  }

  toggleStrips() {
    this.strips = !this.strips;
    for (const figure of this.figures) this.strip(figure, this.strips);
  }

  strip(figure, isShown) {
    const screen = figure.querySelector(".screen");
    let image = screen.querySelector(".strip");
    if (!image && isShown && screen.querySelector("video")) {
      image = document.createElement("img");
      image.className = "strip";
      image.alt = "Frames of the video, first to last";
      image.src = this.url(`/strip/${figure.dataset.number}`);
      screen.append(image);
    }
    if (image) image.hidden = !isShown;
  }

  clear() {
    for (const video of this.videos) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
    this.videos = [];
  }
}
