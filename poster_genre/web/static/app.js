// The predict page: pictures come in by drop, paste, file or example; each becomes an entry; one is shown.
import { RequestFailed, predict } from "./api.js";
import { percent } from "./result_card.js";
import { element } from "./element.js";
import { shrinkIfLarge, limitsOf } from "./shrink_picture.js";
import { renderGallery } from "./gallery.js";
import { showMap, stopExplaining } from "./explaining.js";
import { fillRows } from "./genre_row.js";
import { guessBoxes, verdict } from "./guessing.js";
import { takeIncoming } from "./incoming.js";
import { wireKeeping } from "./keeping.js";
import { copyOnClick } from "./sharing.js";
import { deletePoster, storePoster, storedPoster } from "./stored_poster.js";

const AT_ONCE = 2; // posters that are sent at a time
const MOST = 60; // posters on the page
const UNSURE = "Not sure: the numbers are close to those of the average poster, so take them as a guess.";
const UNLIKE = "This does not look like a film poster: it is further from the posters the network knows than 98 of 100 posters are. Its numbers mean little here.";
const SEVERAL = "A film may have several genres, so the numbers need not sum to 100 %.";
const MARK = "The mark on a bar is the average poster.";

const $ = (id) => document.getElementById(id);
const limits = limitsOf(document.querySelector(".desk"));
const averages = JSON.parse(document.querySelector(".desk").dataset.averages);

// An entry: { name, blob, url, state: "waiting" | "reading" | "done" | "failed", result, problem, note, maps, genre,
// drawnAs: the genres of an example, opening: whether it is the example that the page opens with }
let entries = [];
let current = null;
let reading = 0;
let chosen = []; // the genres of the guess that is being made

// Adding posters.

function add(files, more = {}) {
  if (entries.some(({ opening }) => opening)) forget();
  const pictures = [...files].slice(0, MOST - entries.length);
  const left = files.length - pictures.length;
  $("left-out").hidden = left <= 0;
  if (left > 0) {
    const which = left === 1 ? "1 file was left out" : `${left} files were left out`;
    $("left-out").textContent = `${which}: the page holds ${MOST} posters. Clear it to add others.`;
  }
  if (!pictures.length) return;
  const fresh = pictures.map((blob) => ({
    name: blob.name || "Pasted picture",
    blob,
    url: URL.createObjectURL(blob),
    state: "waiting",
    maps: new Map(),
    ...more,
  }));
  entries.push(...fresh);
  show(fresh[0]);
  work();
}

async function addExample({ dataset }, more = {}) {
  const answer = await fetch(dataset.example);
  const blob = await answer.blob();
  if (more.opening && entries.length) return;
  const name = `Drawn as ${dataset.drawnAs}`;
  add([new File([blob], name, { type: blob.type })], { drawnAs: dataset.drawnAs, ...more });
  if (!more.opening) bringIntoView($("reading"));
}

// Scrolls where less than half of the element's height is in view.
function bringIntoView(node) {
  const { top, bottom, height } = node.getBoundingClientRect();
  const seen = Math.min(bottom, innerHeight) - Math.max(top, 0);
  if (seen < Math.min(height, innerHeight) / 2) node.scrollIntoView({ block: "start" });
}

function work() {
  while (reading < AT_ONCE) {
    const next = entries.find((entry) => entry.state === "waiting");
    if (!next) return;
    reading += 1;
    read(next).finally(() => {
      reading -= 1;
      work();
    });
  }
}

async function read(entry) {
  entry.state = "reading";
  render(entry);
  try {
    const { blob, smaller } = await shrinkIfLarge(entry.blob, limits);
    entry.blob = blob;
    if (smaller) entry.note = "The picture is large, so a smaller copy of it was sent.";
    entry.result = await predict(entry.blob);
    entry.state = "done";
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    entry.problem = error.message;
    entry.state = "failed";
  }
  if (entries.includes(entry)) render(entry);
}

// Showing a poster.

function show(entry) {
  stopExplaining();
  current = entry;
  render(entry);
}

function render(entry) {
  renderGallery(entries, current, showFromGallery);
  if (entry !== current) return;
  const { state, result } = entry;
  $("drop").hidden = true;
  $("clear").hidden = Boolean(entry.opening);
  showPoster(entry);
  $("reading").dataset.state = state;
  $("problem").hidden = state !== "failed";
  const guessing = state !== "failed" && $("guess-first").checked && !entry.guess;
  $("answer").hidden = state === "failed" || guessing;
  $("guess").hidden = !guessing;
  showVerdict(entry);
  $("problem").replaceChildren(element("strong", { textContent: "No genres for this one." }), entry.problem ?? "");
  const top = result?.top ?? [];
  fillRows($("top"), top.slice(0, 3), 3, averages);
  fillRows($("rest"), top.slice(3), 0, averages);
  if (state === "done") for (const id of ["more", "keep", "why", "game"]) $(id).hidden = false;
  for (const id of ["more", "share", "copy-result", "save-card", "save-json", "why"]) $(id).disabled = state !== "done";
  $("show-answer").disabled = state !== "done" || !chosen.length;
  $("result-text").hidden = true;
  showDoubt(entry);
  showMap(entry);
  if (state === "done" && !entry.opening) storePoster(entry.blob, entry.name);
  if (guessing) {
    announce(`Guess the genres of ${entry.name}`, "Your guess first");
  } else if (state === "done") {
    const answers = top.map(({ genre, probability }) => `${genre} ${percent(probability)}`);
    announce(answers.slice(0, 3).join(", "), entry.drawnAs ? `${entry.name}; the network says ${answers[0]}` : entry.name);
  } else if (state === "failed") {
    announce("This file could not be read", entry.name);
  } else {
    announce(`Reading ${entry.name}`, "Reading …");
  }
}

// A text for screen readers, which may be longer than the one that is shown.
function announce(text, shown = text) {
  const status = $("status");
  if (status.dataset.announced === text) return;
  status.dataset.announced = text;
  status.replaceChildren(
    element("span", { textContent: shown, ariaHidden: "true" }),
    element("span", { className: "unseen-text", textContent: text }),
  );
}

function showPoster(entry) {
  const poster = $("poster");
  if (poster.dataset.url === entry.url) return;
  poster.dataset.url = entry.url;
  $("frame").hidden = true;
  $("unseen").hidden = true;
  poster.onload = () => {
    if (!poster.naturalWidth || !poster.naturalHeight) {
      poster.onerror();
      return;
    }
    $("frame").style.setProperty("--ratio", poster.naturalWidth / poster.naturalHeight);
    $("frame").hidden = false;
  };
  poster.onerror = () => {
    $("unseen").hidden = false;
  };
  poster.alt = `Poster: ${entry.name}`;
  poster.src = entry.url;
}

function showDoubt({ state, result, note }) {
  const unsure = state === "done" && result.sure === false;
  const unlike = state === "done" && result.unlike_posters === true;
  $("doubt").classList.toggle("unsure", unsure || unlike);
  const mark = Object.keys(averages).length ? MARK : "";
  $("doubt").textContent = [unlike ? UNLIKE : unsure ? UNSURE : SEVERAL, mark, note].filter(Boolean).join(" ");
}

function showVerdict({ guess, state, result, drawnAs }) {
  $("verdict").hidden = !guess || state !== "done";
  if (!$("verdict").hidden) $("verdict").textContent = verdict(guess, result.top, drawnAs);
}

// Heat maps.

function choose(genre) {
  stopExplaining();
  current.genre = current.genre === genre ? null : genre;
  showMap(current);
  if (current.genre) bringIntoView($("stage"));
}

// Several posters.

function showFromGallery(entry) {
  show(entry);
  $("stage").scrollIntoView({ block: "nearest" });
}

function forget() {
  stopExplaining();
  for (const { url } of entries) URL.revokeObjectURL(url);
  entries = [];
  current = null;
}

function clear() {
  forget();
  deletePoster();
  renderGallery(entries, current, showFromGallery);
  for (const id of ["frame", "unseen", "heat", "problem", "left-out", "guess", "verdict", "result-text"]) $(id).hidden = true;
  for (const id of ["clear", "more", "keep", "why"]) $(id).hidden = true;
  delete $("poster").dataset.url;
  $("poster").removeAttribute("src");
  $("frame").classList.remove("mapped");
  $("drop").hidden = false;
  $("answer").hidden = false;
  $("reading").dataset.state = "empty";
  $("doubt").textContent = SEVERAL;
  $("doubt").classList.remove("unsure");
  fillRows($("top"), [], 3, averages);
  fillRows($("rest"), [], 0, averages);
  announce("No poster yet");
  $("drop").focus();
}

// Events.

for (const id of ["drop", "choose"]) $(id).addEventListener("click", () => $("file").click());
$("camera").addEventListener("click", () => $("photo").click());
for (const id of ["file", "photo"]) {
  $(id).addEventListener("change", ({ target }) => {
    add([...target.files]);
    target.value = "";
  });
}
$("clear").addEventListener("click", clear);
$("more").addEventListener("click", () => {
  const open = $("more").ariaExpanded !== "true";
  $("more").ariaExpanded = String(open);
  $("more").textContent = open ? "Show the first three" : "Show all 25";
  $("rest").hidden = !open;
});
$("answer").addEventListener("click", ({ target }) => {
  const button = target.closest(".genre");
  if (button) choose(button.dataset.genre);
});
$("hide").addEventListener("click", () => choose(current.genre));
for (const radio of document.querySelectorAll('input[name="method"]')) {
  radio.addEventListener("change", () => {
    stopExplaining();
    showMap(current);
  });
}
wireKeeping({ current: () => current, entries: () => entries, averages });
copyOnClick($("copy"), () => $("curl").textContent, $("curl"));
for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", () => addExample(button));
}

takeIncoming(add);

const newBoxes = () =>
  $("guess-boxes").replaceChildren(
    ...guessBoxes(document.querySelector(".desk").dataset.genres.split(","), (genres) => {
      chosen = genres;
      $("show-answer").disabled = !chosen.length || current?.state !== "done";
    }),
  );
newBoxes();
$("guess").addEventListener("submit", (event) => {
  event.preventDefault();
  current.guess = chosen;
  newBoxes();
  $("show-answer").disabled = true;
  render(current);
});
$("guess-first").addEventListener("change", () => current && render(current));

const stored = storedPoster();
if (stored) add([stored]);
else addExample(document.querySelector(".example"), { opening: true });
