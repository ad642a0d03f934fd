// The inside page: a poster is traced, the network's layers are listed, and any number can be selected.
import { RequestFailed } from "../api.js";
import { shrinkIfLarge, limitsOf } from "../shrink_picture.js";
import { storePoster, storedPoster } from "../stored_poster.js";
import { TraceSession } from "./trace_session.js";
import { percent } from "./genres.js";
import { NumberPanel } from "./number_panel.js";
import { Strip } from "./strip.js";
import { background, el } from "./elements.js";
import { differenceText, showAllDigits, whole } from "./numbers.js";

const $ = (id) => document.getElementById(id);
const limits = limitsOf(document.querySelector(".choice"));
const FIRST = 1; // the step that is selected at first

let session = null;
let strips = new Map();
let selected = null; // { step, position: [row, column, channel], input }
let mirrored = false;
let starts = 0;
const panel = new NumberPanel(choose, thumbnail);

// Adding a poster.

async function take(blob, store = true) {
  const mine = (starts += 1);
  $("problem").hidden = true;
  $("status").textContent = "Sending the poster through the network …";
  $("trace").setAttribute("aria-busy", "true");
  try {
    const started = await TraceSession.start((await shrinkIfLarge(blob, limits)).blob);
    if (mine !== starts) return;
    const same = session && sameNetwork(session, started);
    session = started;
    if (store) storePoster(blob, blob.name ?? "Poster");
    show(same);
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    if (mine === starts) refuse(error);
  } finally {
    if (mine === starts) $("trace").removeAttribute("aria-busy");
  }
}

function refuse(error) {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
  $("status").textContent = "";
}

async function takeExample(path) {
  const answer = await fetch(path);
  await take(await answer.blob());
}

function sameNetwork(one, other) {
  return one.model === other.model && one.steps.length === other.steps.length;
}

function show(same) {
  $("trace").dataset.state = "shown";
  $("mirror-label").hidden = !session.two_views;
  const ranked = [...session.genres].sort((a, b) => b.probability - a.probability);
  const text = ranked.slice(0, 3).map(({ genre, probability }) => `${genre} ${percent(probability)}`).join(", ");
  $("status").textContent = `${text}. Difference between the layers one by one and the fused prediction: ${differenceText(session.difference)}${session.difference === 0 ? "" : " at most"}.`;
  panel.start(session, mirrored);
  if (same) {
    session.steps.forEach((step) => strips.get(step.step) && Object.assign(strips.get(step.step), { step, session: null, path: null }));
    fillGenres();
  } else {
    layOut();
  }
  reload();
  const middle = (step) => [Math.floor(step.height / 2), Math.floor(step.width / 2), 0];
  const first = same && selected ? selected : (fromAddress() ?? { step: FIRST, position: middle(session.steps[FIRST]), input: null });
  choose(first.step, first.position, { input: first.input, open: false });
}

// The network.

function layOut() {
  const { steps, groups } = session;
  strips = new Map();
  $("flow").replaceChildren(...groups.map((title, group) => {
    const members = steps.filter((step) => step.group === group);
    return el(
      "section",
      { className: "group", id: `group-${group}`, data: { group: String(group) } },
      el("h2", { tabIndex: -1 }, title, el("small", {}, sizes(members))),
      ...branched(members),
    );
  }));
  fillGenres();
  overview(groups);
  for (const strip of strips.values()) strip.resize();
}

// The groups of layers in the order of the network; a click scrolls to one.
function overview(groups) {
  $("overview").replaceChildren(...groups.map((title, group) => el("li", {}, el(
    "button",
    {
      type: "button",
      data: { group: String(group) },
      onclick: () => {
        const section = $(`group-${group}`);
        section.scrollIntoView();
        section.querySelector("h2").focus({ preventScroll: true });
      },
    },
    title,
  ))));
  for (const section of document.querySelectorAll(".group")) passing.observe(section);
}

const passing = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.classList.toggle("passing", isIntersecting);
  const [first] = document.querySelectorAll(".group.passing");
  for (const button of $("overview").querySelectorAll("button")) {
    const current = button.dataset.group === first?.dataset.group;
    if (current && button.ariaCurrent !== "true") {
      const list = $("overview");
      list.scrollLeft = button.offsetLeft - list.clientWidth / 2 + button.offsetWidth / 2;
    }
    button.ariaCurrent = String(current);
  }
}, { rootMargin: "-20% 0px -70% 0px" });

function sizes(members) {
  const [first] = members;
  const source = first.inputs.length ? `${size(session.steps[first.inputs[0]])} → ` : "";
  return source + size(members[members.length - 1]);
}

function size({ height, width, channels, image }) {
  return image ? `${width} × ${height} × ${channels}` : whole(channels);
}

// Cards; those of one branch stand together under its name.
function branched(members) {
  const made = [];
  let list = null;
  for (const step of members) {
    if (!list || list.dataset.branch !== step.branch) {
      list = el("div", { className: step.branch ? "branch" : "unbranched", data: { branch: step.branch } });
      if (step.branch) list.append(el("p", { className: "branch-name" }, step.branch));
      made.push(list);
    }
    list.append(stepCard(step));
  }
  return made;
}

function stepCard(step) {
  const made = el(
    "article",
    { className: "step", id: `step-${step.step}`, data: { step: String(step.step) } },
    el("header", {}, el("h3", {}, step.title), el("code", {}, step.name)),
    el("p", { className: "facts" }, facts(step)),
    el("p", { className: "description" }, step.text),
  );
  if (step.filters) made.append(filterPicture(step));
  if (step.genre_scores) {
    made.append(el("ul", { className: "bars all", id: "genres" }));
  } else if (step.shown && step.kind !== "Dropout" && step.kind !== "Flatten") {
    made.append(stripOf(step));
  }
  return made;
}

function facts(step) {
  const weights = step.count ? ` · ${whole(step.count)} parameters` : "";
  const work = step.multiply_adds ? ` · ${(step.multiply_adds / 1e6).toFixed(step.multiply_adds < 1e6 ? 2 : 1)} M multiplications` : "";
  return `${step.image ? `${step.width} × ${step.height} pixels, ${step.channels} ${step.step === 0 ? "colours" : "maps"}` : `${whole(step.channels)} numbers`}${weights}${work}`;
}

function stripOf(step) {
  const strip = new Strip(step, ({ channel, row, column }) => {
    const [oldRow, oldColumn] = selected?.step === step.step ? selected.position : [Math.floor(step.height / 2), Math.floor(step.width / 2)];
    choose(step.step, [row ?? oldRow, column ?? oldColumn, channel]);
  });
  strips.set(step.step, strip);
  const holder = el("div", { className: "maps" }, strip.canvas);
  if (step.image && step.channels > 8) {
    const more = el("button", { type: "button", className: "plain tiny" });
    strip.onresize = () => {
      more.textContent = strip.all ? "Show fewer" : `Show all ${step.channels} maps`;
      more.setAttribute("aria-expanded", String(strip.all));
      more.hidden = !strip.hides && !strip.all;
    };
    more.addEventListener("click", () => strip.showAll(!strip.all));
    holder.append(more);
  }
  return holder;
}

function filterPicture(step) {
  const [kh, kw, , out] = step.parameters.weight;
  const picture = document.createElement("img");
  picture.addEventListener("load", () => {
    for (const [i, canvas] of [...holder.querySelectorAll("canvas")].entries()) {
      canvas.getContext("2d").drawImage(picture, i * kw, 0, kw, kh, 0, 0, kw, kh);
    }
  });
  const holder = el("div", { className: "filters", role: "img", "aria-label": `The ${out} filters as pictures` });
  for (let i = 0; i < out; i += 1) holder.append(Object.assign(document.createElement("canvas"), { width: kw, height: kh }));
  picture.src = `api/v1/inside/filters.png?step=${step.step}`;
  return el("div", {}, el("p", { className: "soft" }, `Its ${out} filters as pictures: bright where a weight of that colour is positive, dark where it is negative, grey where it is 0.`), holder);
}

function fillGenres() {
  const rows = session.genres.map((each, channel) => ({ ...each, channel })).sort((a, b) => b.probability - a.probability);
  const last = session.steps.find(({ genre_scores: scores }) => scores);
  $("genres")?.replaceChildren(...rows.map(({ genre, probability, channel }) => {
    const bar = el("span", { className: "fill", "aria-hidden": "true" });
    bar.style.width = `${100 * probability}%`;
    return el("li", {}, el(
      "button",
      { type: "button", "aria-pressed": "false", data: { channel: String(channel) }, onclick: () => choose(last.step, [0, 0, channel]) },
      el("span", { className: "name" }, genre),
      el("span", { className: "axis" }, bar),
      el("span", { className: "value" }, percent(probability)),
    ));
  }));
}

// Maps are fetched when they come near the view.
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) load(Number(entry.target.closest(".step").dataset.step));
}, { rootMargin: "400px" });

function load(step) {
  strips.get(step)?.load(session, mirrored).catch((error) => {
    if (!(error instanceof RequestFailed)) throw error;
    refuse(error);
  });
}

function reload() {
  near.disconnect();
  for (const strip of strips.values()) near.observe(strip.canvas);
}

// A small picture of one map, for lists.
function thumbnail(step, channel) {
  const { height, width } = session.steps[step];
  const canvas = Object.assign(document.createElement("canvas"), { className: "thumb", width, height });
  const strip = strips.get(step);
  strip?.load(session, mirrored).then(() => strip.drawTile(canvas.getContext("2d"), channel, 0, 0, width, height));
  return canvas;
}

// Choosing.

async function choose(step, position, { input = null, open = true, scroll = false } = {}) {
  const before = selected;
  selected = { step, position, input };
  for (const [index, strip] of strips) strip.mark(index === step ? position[2] : null);
  for (const each of document.querySelectorAll(".step")) each.classList.toggle("chosen", Number(each.dataset.step) === step);
  for (const each of document.querySelectorAll("#genres button")) {
    each.setAttribute("aria-pressed", String(session.steps[step].genre_scores && Number(each.dataset.channel) === position[2]));
  }
  if (open) panel.open(true);
  if (scroll) $(`step-${step}`).scrollIntoView({ block: "nearest" });
  if (before && before.step !== step && open) $("number-panel-inside").scrollTop = 0;
  toAddress();
  try {
    await panel.show(selected);
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    refuse(error);
  }
}

// The address has the selection, not the poster.
function toAddress() {
  const [row, column, channel] = selected.position;
  const parameters = new URLSearchParams({ step: selected.step, map: channel, at: `${row},${column}` });
  history.replaceState(null, "", `#${parameters}`);
}

function fromAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const step = session.steps[Number(parameters.get("step") ?? -1)];
  const [row, column] = (parameters.get("at") ?? "").split(",").map(Number);
  const channel = Number(parameters.get("map") ?? -1);
  const fits = step && [row < step.height, column < step.width, channel < step.channels].every(Boolean);
  const whole = [row, column, channel].every((n) => Number.isInteger(n) && n >= 0);
  return fits && whole ? { step: step.step, position: [row, column, channel], input: null } : null;
}

addEventListener("hashchange", () => {
  const linked = session && fromAddress();
  if (linked) choose(linked.step, linked.position, { scroll: true });
});

// Events.

$("digits").addEventListener("change", () => {
  showAllDigits($("digits").checked);
  document.body.classList.toggle("all-digits", $("digits").checked);
  if (panel.computation) panel.write();
});
$("mirror").addEventListener("change", () => {
  mirrored = $("mirror").checked;
  panel.start(session, mirrored);
  reload();
  choose(selected.step, selected.position, { input: selected.input, open: false });
});
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files.length) take($("file").files[0]);
  $("file").value = "";
});
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => takeExample(button.dataset.example));
}
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file) take(file);
});

let resizing = 0;
let room = 0;
new ResizeObserver(() => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => {
    if ($("flow").clientWidth === room) return;
    room = $("flow").clientWidth;
    for (const strip of strips.values()) strip.resize();
  });
}).observe($("flow"));

let painted = background();
new MutationObserver(() => {
  if (background() === painted || !session) return;
  painted = background();
  reload();
  panel.show(selected);
}).observe(document.documentElement, { attributeFilter: ["data-theme"] });

const stored = storedPoster();
if (stored) await take(stored, false);
else await takeExample(document.querySelector("[data-example]").dataset.example);
