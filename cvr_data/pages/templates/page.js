// Browsers allow few media players at a time, so a clip gets its data when it is near the window and gives it back.
const clips = JSON.parse(document.getElementById("clips").textContent);
const button = document.querySelector(".motion");
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
const visible = new Set();

function play(video) {
  if (playing) video.play().catch(() => {});
  else video.pause();
}

const near = new IntersectionObserver((entries) => {
  for (const { target: video, isIntersecting } of entries) {
    if (isIntersecting) {
      visible.add(video);
      if (!video.src) video.src = clips[video.dataset.clip];
      play(video);
    } else if (visible.delete(video)) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
  }
}, { rootMargin: "150px" });

function toggle(video) {
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

for (const video of document.querySelectorAll("video.clip")) {
  const own = video.closest("button"); // a video without its data has no name of its own
  near.observe(video);
  own.addEventListener("click", () => toggle(video));
  for (const event of ["play", "pause"]) video.addEventListener(event, () => own.setAttribute("aria-pressed", video.paused));
}

function label() {
  button.textContent = playing ? "Pause clips" : "Play clips";
}

if (button) {
  label();
  button.addEventListener("click", () => {
    playing = !playing;
    label();
    visible.forEach(play);
  });
}

const links = [...document.querySelectorAll(".toc a")];
const sections = links.map((link) => document.querySelector(link.hash));

function mark() {
  const passed = sections.filter((section) => section.getBoundingClientRect().top < 180).length;
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
  const current = atEnd ? links.length - 1 : Math.max(0, passed - 1);
  links.forEach((link, index) => {
    const here = index === current;
    if (here && !link.classList.contains("here")) {
      const bar = document.querySelector(".toc");
      if (bar.scrollWidth > bar.clientWidth) bar.scrollLeft = link.offsetLeft - bar.clientWidth / 2;
    }
    link.classList.toggle("here", here);
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}

addEventListener("scroll", mark, { passive: true });
mark();
