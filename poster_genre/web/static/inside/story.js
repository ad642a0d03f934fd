// The first thing to see: the poster, a picture from each part of the network, and the genres.
import { el } from "./elements.js";
import { explained } from "./glossary.js";
import { percent } from "./genres.js";
import { number } from "./numbers.js";
import { shortTitle, sizeText } from "./step_texts.js";
import { channelName } from "./widgets.js";

const STAGES = 5;
const GENRES = 6;
const $ = (id) => document.getElementById(id);

// One picture a part: of the first network, the last image of each part, five of them at most.
export function stagesOf({ steps, groups }) {
  const [first] = steps.map(({ network }) => network).filter(Boolean);
  const ends = groups.map((_, group) => steps.filter((step) => step.group === group).at(-1))
    .filter((step) => step.image && step.step > 0 && step.shown && (!step.network || step.network === first));
  const gap = Math.max(1, (ends.length - 1) / (STAGES - 1));
  return ends.filter((_, i) => ends.length <= STAGES || Array.from({ length: STAGES }, (__, k) => Math.round(k * gap)).includes(i));
}

export class Story {
  // network: the NetworkView; choose(step, position) for a genre.
  constructor(network, choose) {
    Object.assign(this, { network, choose });
  }

  show(session) {
    this.session = session;
    this.ranked = session.genres.map((each, channel) => ({ ...each, channel })).sort((a, b) => b.probability - a.probability);
    this.last = session.steps.find(({ genre_scores: scores }) => scores);
    const stages = stagesOf(session);
    const [poster] = session.steps;
    $("story").replaceChildren(
      this.stage(poster, "The poster"),
      ...stages.map((step) => this.stage(step, shortTitle(session.groups[step.group]))),
      el("li", { className: "story-genres" }, this.genres()),
    );
    $("all-genres")?.replaceChildren(...this.ranked.map((each) => this.genreRow(each)));
  }

  stage(step, title) {
    const canvas = el("canvas", { className: "story-picture", width: step.width * 2, height: step.height * 2, "aria-hidden": "true" });
    const button = el(
      "button",
      { type: "button", className: "story-stage", data: { group: String(step.group), step: String(step.step) }, "aria-expanded": "false", "aria-controls": `cards-${step.group}`, onclick: () => this.toggle(step) },
      canvas,
      el("span", { className: "stage-title" }, title),
      el("span", { className: "stage-map" }),
      el("span", { className: "stage-gradient" }),
    );
    button.title = `${title}: ${sizeText(step)}. Opens its layers below.`;
    return el("li", {}, button);
  }

  toggle(step) {
    const open = !this.network.isOpen(step.group);
    this.network.open(step.group, open);
    if (open) $(`group-${step.group}`).scrollIntoView({ block: "start" });
    this.update();
  }

  // The state of each part, after any of them was opened or folded.
  update() {
    for (const button of document.querySelectorAll(".story-stage")) {
      button.setAttribute("aria-expanded", String(this.network.isOpen(Number(button.dataset.group))));
    }
  }

  // view: { mirrored, genre, sizes }. The poster itself is drawn as a picture on the way forward.
  look(view) {
    const { session } = this;
    for (const button of document.querySelectorAll(".story-stage")) {
      const step = session.steps[Number(button.dataset.step)];
      const size = view.genre && view.sizes.get(step.step);
      button.querySelector(".stage-gradient").textContent = size ? `gradient ${number(size.rms)}` : "";
      button.querySelector(".stage-map").textContent = mapText(step, size);
      const pen = button.querySelector("canvas").getContext("2d");
      const path = step.step === 0 && !view.genre ? session.posterPath(view) : session.mapsPath(step.step, view, size ? size.strongest : step.most_varied);
      session.picture(path).then((picture) => {
        pen.imageSmoothingEnabled = false;
        pen.drawImage(picture, 0, 0, pen.canvas.width, pen.canvas.height);
      }).catch(this.network.failed);
    }
    $("way").textContent = "";
    $("way").append(...(view.genre
      ? explained(`Each picture is the gradient of the map that has most of it: orange where a larger number would raise the score of ${view.genre}, blue where it would lower it. Read from right to left.`)
      : explained("Each picture is one map of its part, the one that varies most. Choose one to open its layers, then any pixel to see what it was computed from.")));
  }

  genres() {
    const more = el("button", { type: "button", className: "plain tiny", onclick: () => this.toggle(this.last) }, `All ${this.ranked.length} genres`);
    return el("div", {}, el("ul", { className: "bars all", id: "genres" }, ...this.ranked.slice(0, GENRES).map((each) => this.genreRow(each))), more);
  }

  genreRow({ genre, probability, channel }) {
    const bar = el("span", { className: "fill", "aria-hidden": "true" });
    bar.style.width = `${100 * probability}%`;
    return el("li", {}, el(
      "button",
      { type: "button", className: "genre-choice", "aria-pressed": "false", data: { channel: String(channel) }, onclick: () => this.choose(this.last.step, [0, 0, channel]) },
      el("span", { className: "name" }, genre),
      el("span", { className: "axis" }, bar),
      el("span", { className: "value" }, percent(probability)),
    ));
  }

  mark({ step, position }) {
    const scores = this.session.steps[step].genre_scores;
    for (const each of document.querySelectorAll("button.genre-choice")) {
      each.setAttribute("aria-pressed", String(scores && Number(each.dataset.channel) === position[2]));
    }
  }
}

// Which map of a step is shown. size: of its gradient, on the way back.
function mapText(step, size) {
  const pixels = `${step.width} × ${step.height}`;
  if (step.step === 0) return size ? `${channelName(step, size.strongest)}\n${pixels}` : `three colours\n${pixels}`;
  return `map ${size ? size.strongest : step.most_varied} of ${step.channels}\n${pixels}`;
}
