// The inside page: a poster is traced, the network's parts are shown, and any number can be selected.
import { RequestFailed } from "../api.js";
import { shrinkIfLarge, limitsOf } from "../shrink_picture.js";
import { storePoster, storedPoster } from "../stored_poster.js";
import { background, el } from "./elements.js";
import { percent } from "./genres.js";
import { NetworkView } from "./network_view.js";
import { NumberPanel } from "./number_panel.js";
import { differenceText, showAllDigits } from "./numbers.js";
import { Story } from "./story.js";
import { TraceSession } from "./trace_session.js";

const $ = (id) => document.getElementById(id);
const limits = limitsOf(document.querySelector(".choice"));
const FIRST = 1; // the step that is selected at first

let session = null;
let selected = null; // { step, position: [row, column, channel], listed }
let view = { mirrored: false, genre: null, sizes: null }; // of the mirror image; with a genre, of its gradient
let starts = 0;
const network = new NetworkView($("flow"), choose, showFailure);
const story = new Story(network, choose);
const panel = new NumberPanel(choose, (step, channel) => network.thumbnail(step, channel), showFailure);

// Adding a poster.

async function take(blob, store = true) {
  const mine = (starts += 1);
  $("problem").hidden = true;
  $("status").textContent = "Sending the poster through the network …";
  $("trace").setAttribute("aria-busy", "true");
  try {
    const started = await TraceSession.start((await shrinkIfLarge(blob, limits)).blob);
    if (mine !== starts) return;
    const sizes = view.genre && (await started.gradientSizes(view.genre, view.mirrored));
    if (mine !== starts) return;
    view = { ...view, sizes };
    session = started;
    if (store) storePoster(blob, blob.name ?? "Poster");
    show();
  } catch (error) {
    if (mine === starts) showFailure(error);
  } finally {
    if (mine === starts) $("trace").removeAttribute("aria-busy");
  }
}

function showFailure(error) {
  if (!(error instanceof RequestFailed)) throw error;
  $("problem").textContent = error.message;
  $("problem").hidden = false;
  $("status").textContent = "";
}

async function takeExample(path) {
  const answer = await fetch(path);
  await take(await answer.blob());
}

function show() {
  $("mirror-label").hidden = !session.two_views;
  const ranked = [...session.genres].sort((a, b) => b.probability - a.probability);
  const text = ranked.slice(0, 3).map(({ genre, probability }) => `${genre} ${percent(probability)}`).join(", ");
  const same = session.difference === 0 ? "exactly the prediction" : `the prediction but for rounding (${differenceText(session.difference)} at most)`;
  $("status").textContent = `${text}. The layers, run one by one, give ${same}.`;
  network.show(session);
  story.show(session);
  offerGenres(ranked);
  look();
  const middle = (step) => [Math.floor(step.height / 2), Math.floor(step.width / 2), 0];
  const linked = selected ? null : fromAddress();
  const first = selected ?? linked ?? { step: FIRST, position: middle(session.steps[FIRST]), listed: null };
  choose(first.step, first.position, { listed: first.listed, open: false, unfold: Boolean(linked) });
  $("trace").dataset.state = "shown";
}

// Numbers on the way forward, or a genre's gradient on the way back.

function offerGenres(ranked) {
  $("direction").replaceChildren(
    el("option", { value: "" }, "the numbers, on the way forward"),
    ...ranked.map(({ genre }) => el("option", { value: genre }, `the gradient of ${genre}, on the way back`)),
  );
  $("direction").value = view.genre ?? "";
}

function look() {
  panel.start(session, view);
  network.look(view);
  story.look(view);
}

async function turnTo(changes) {
  const next = { ...view, ...changes };
  try {
    next.sizes = next.genre && (await session.gradientSizes(next.genre, next.mirrored));
  } catch (error) {
    showFailure(error);
    return;
  }
  view = next;
  look();
  await choose(selected.step, selected.position, { listed: null, open: false });
}

// Choosing.

async function choose(step, position, { listed = null, open = true, scroll = false, unfold = open } = {}) {
  const before = selected;
  selected = { step, position, listed };
  if (unfold && !session.steps[step].genre_scores) network.open(session.steps[step].group);
  network.mark(selected);
  story.mark(selected);
  story.update();
  if (open) panel.open(true);
  if (scroll) $(`step-${step}`).scrollIntoView({ block: "nearest" });
  if (before && before.step !== step && open) $("number-panel-inside").scrollTop = 0;
  toAddress();
  try {
    await panel.show(selected);
  } catch (error) {
    showFailure(error);
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
  return fits && whole ? { step: step.step, position: [row, column, channel], listed: null } : null;
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
$("mirror").addEventListener("change", () => turnTo({ mirrored: $("mirror").checked }));
$("direction").addEventListener("change", () => turnTo({ genre: $("direction").value || null }));
$("flow").addEventListener("click", () => story.update());
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

let painted = background();
new MutationObserver(() => {
  if (background() === painted || !session) return;
  painted = background();
  look();
  panel.show(selected);
}).observe(document.documentElement, { attributeFilter: ["data-theme"] });

const stored = storedPoster();
if (stored) await take(stored, false);
else await takeExample(document.querySelector("[data-example]").dataset.example);
