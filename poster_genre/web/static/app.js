// The predict page: pictures come in by drop, paste, file or example; each becomes an entry; one is shown.
import { RequestFailed, explain, predict } from "./api.js";
import { percent, resultCard } from "./result_card.js";
import { element } from "./element.js";
import { shrinkIfLarge, limitsOf } from "./shrink_picture.js";
import { galleryCard, summary } from "./gallery.js";
import { drawHeatMap } from "./heat_map.js";
import { genreRow } from "./genre_row.js";
import { deletePoster, storePoster } from "./stored_poster.js";

const AT_ONCE = 2; // posters that are sent at a time
const MOST = 60; // posters on the page
const UNSURE = "Not sure: the numbers are close to how common each genre is, so take them as a guess.";
const SEVERAL = "A film may have several genres, so the numbers need not sum to 100 %.";

const $ = (id) => document.getElementById(id);
const limits = limitsOf(document.querySelector(".desk"));

// An entry: { name, blob, url, state: "waiting" | "reading" | "done" | "failed", result, problem, note, maps, genre }
let entries = [];
let current = null;
let reading = 0;
let explaining = null; // the AbortController of the heat map that is being computed
let version = "";

// Adding posters.

function add(files) {
  const pictures = [...files].slice(0, MOST - entries.length);
  if (!pictures.length) {
    if (files.length) announce(`At most ${MOST} posters at a time; clear the page first`);
    return;
  }
  const fresh = pictures.map((blob) => ({
    name: blob.name || "Pasted picture",
    blob,
    url: URL.createObjectURL(blob),
    state: "waiting",
    maps: new Map(),
  }));
  entries.push(...fresh);
  show(fresh[0]);
  work();
}

async function addExample(path) {
  const answer = await fetch(path);
  const blob = await answer.blob();
  add([new File([blob], path.split("/").pop(), { type: blob.type })]);
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
  renderGallery();
  if (entry !== current) return;
  const { state, result } = entry;
  $("drop").hidden = true;
  $("clear").disabled = false;
  showPoster(entry);
  $("reading").dataset.state = state;
  $("problem").hidden = state !== "failed";
  $("answer").hidden = state === "failed";
  $("problem").replaceChildren(element("strong", { textContent: "No genres for this one." }), entry.problem ?? "");
  const top = result?.top ?? [];
  fill($("top"), top.slice(0, 3), 3);
  fill($("rest"), top.slice(3), 0);
  for (const id of ["more", "save-card", "save-json"]) $(id).disabled = state !== "done";
  $("why").disabled = state !== "done";
  showDoubt(entry);
  showMap(entry);
  if (state === "done") {
    announce(top.slice(0, 3).map(({ genre, probability }) => `${genre} ${percent(probability)}`).join(", "), entry.name);
    storePoster(entry.blob);
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

// Rows are reused, so that bars move and focus stays; without genres, placeholders ("ghosts") take their room.
function fill(list, genres, ghosts) {
  const count = genres.length || ghosts;
  while (list.children.length > count) list.lastChild.remove();
  while (list.children.length < count) list.append(genreRow());
  [...list.children].forEach((item, i) => {
    const button = item.firstChild;
    const [name, value, bar] = button.children;
    const entry = genres[i];
    button.classList.toggle("ghost", !entry);
    button.disabled = !entry;
    button.dataset.genre = entry?.genre ?? "";
    name.textContent = entry?.genre ?? "No genre";
    value.textContent = entry ? percent(entry.probability) : "00 %";
    item.ariaHidden = entry ? null : "true";
    bar.firstChild.style.transform = `translateX(${100 * ((entry?.probability ?? 0) - 1)}%)`;
  });
}

function showDoubt({ state, result, note }) {
  const unsure = state === "done" && result.sure === false;
  $("doubt").classList.toggle("unsure", unsure);
  $("doubt").textContent = [unsure ? UNSURE : SEVERAL, note].filter(Boolean).join(" ");
}

// Heat maps.

function choose(genre) {
  stopExplaining();
  current.genre = current.genre === genre ? null : genre;
  showMap(current);
}

function stopExplaining() {
  explaining?.abort();
  explaining = null;
  $("progress").classList.remove("busy");
}

function showMap(entry) {
  const method = document.querySelector('input[name="method"]:checked').value;
  for (const button of document.querySelectorAll(".genre")) {
    button.ariaPressed = String(Boolean(entry.genre) && button.dataset.genre === entry.genre);
  }
  const map = entry.genre && entry.maps.get(`${method} ${entry.genre}`);
  $("hide").disabled = !entry.genre;
  $("heat").hidden = !map;
  $("frame").classList.toggle("mapped", Boolean(map));
  if (map) {
    drawHeatMap($("heat"), map);
    const bright = `Bright: the evidence for ${map.genre}.`;
    $("why-text").textContent = map.strength > 0 ? bright : `No part of this poster is evidence for ${map.genre}.`;
  } else if (entry.genre) {
    explainGenre(entry, entry.genre, method);
  } else {
    $("why-text").textContent = "Choose a genre to see where on the poster it shows.";
  }
}

async function explainGenre(entry, genre, method) {
  const mine = new AbortController();
  explaining = mine;
  const progress = $("progress");
  progress.value = 0;
  progress.classList.toggle("busy", method === "occlusion");
  $("why-text").textContent = `Looking for ${genre} …`;
  try {
    const step = (done, of) => {
      if (explaining === mine) progress.value = done / of;
    };
    entry.maps.set(`${method} ${genre}`, await explain(entry.blob, genre, method, step, mine.signal));
    if (explaining === mine) {
      stopExplaining();
      showMap(entry);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof RequestFailed)) throw error;
    if (explaining === mine) {
      stopExplaining();
      $("why-text").textContent = error.message;
    }
  }
}

// Several posters.

function renderGallery() {
  $("gallery").hidden = entries.length < 2;
  const shelf = $("shelf");
  while (shelf.children.length > entries.length) shelf.lastChild.remove();
  entries.forEach((entry, i) => {
    if (!shelf.children[i]) shelf.append(galleryCard(showFromGallery));
    const button = shelf.children[i].firstChild;
    button.entry = entry;
    button.ariaCurrent = String(entry === current);
    const [thumb, text] = button.children;
    if (thumb.dataset.url !== entry.url) {
      thumb.dataset.url = entry.url;
      thumb.src = entry.url;
    }
    text.replaceChildren(element("span", { className: "file", textContent: entry.name }), ...summary(entry));
  });
}

function showFromGallery(entry) {
  show(entry);
  $("stage").scrollIntoView({ block: "nearest" });
}

function clear() {
  stopExplaining();
  deletePoster();
  for (const { url } of entries) URL.revokeObjectURL(url);
  entries = [];
  current = null;
  renderGallery();
  for (const id of ["frame", "unseen", "heat", "problem"]) $(id).hidden = true;
  delete $("poster").dataset.url;
  $("poster").removeAttribute("src");
  $("frame").classList.remove("mapped");
  $("drop").hidden = false;
  $("answer").hidden = false;
  $("reading").dataset.state = "empty";
  for (const id of ["clear", "more", "save-card", "save-json", "why", "hide"]) $(id).disabled = true;
  $("doubt").textContent = SEVERAL;
  $("doubt").classList.remove("unsure");
  $("why-text").textContent = "Choose a genre to see where on the poster it shows.";
  fill($("top"), [], 3);
  fill($("rest"), [], 0);
  announce("No poster yet");
  $("drop").focus();
}

// Saving.

async function saveCard() {
  version ||= (await (await fetch("api/v1/model")).json()).version;
  const heat = $("heat").hidden ? null : $("heat");
  const shownGenre = heat ? current.genre : null;
  save(await resultCard($("poster"), heat, current.result, { about: version, shownGenre }), "poster-genres.png");
}

function saveJson() {
  const results = entries
    .filter(({ state }) => state === "done")
    .map(({ name, result }) => ({ ...result, file: name, top: result.top.slice(0, 3) }));
  save(new Blob([JSON.stringify({ results }, null, 2)], { type: "application/json" }), "poster-genres.json");
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
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
$("save-card").addEventListener("click", saveCard);
$("save-json").addEventListener("click", saveJson);
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("curl"));
    $("copy").textContent = "Selected";
  }
  setTimeout(() => ($("copy").textContent = "Copy"), 2000);
});
for (const button of document.querySelectorAll(".example")) {
  button.addEventListener("click", () => addExample(button.dataset.example));
}

let depth = 0; // dragenter and dragleave come for every element under the pointer
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (carriesFiles(event)) document.body.classList.toggle("dragging", (depth += 1) > 0);
});
addEventListener("dragleave", (event) => {
  if (carriesFiles(event)) document.body.classList.toggle("dragging", (depth -= 1) > 0);
});
addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  add([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) {
    event.preventDefault();
    add(files);
  }
});
