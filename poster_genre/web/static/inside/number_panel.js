// The panel beside the network: one number, its position, and how it or its gradient was computed.
import { computationBlock } from "./computations.js";
import { el } from "./elements.js";
import { genreBlocks, percent } from "./genres.js";
import { gradientBlock } from "./gradient_blocks.js";
import { MapPatches } from "./map_patches.js";
import { number } from "./numbers.js";
import { PanelViews } from "./panel_views.js";
import { channelName } from "./widgets.js";

const $ = (id) => document.getElementById(id);

export class NumberPanel {
  // choose(step, position, options) changes the selection; thumbnail(step, channel) draws a small map;
  // failed(error) says that something could not be loaded.
  constructor(choose, thumbnail, failed) {
    Object.assign(this, { choose, thumbnail, session: null, selected: null, requests: 0 });
    this.views = new PanelViews((row, column) => this.choose(this.selected.step, [row, column, this.selected.position[2]]));
    this.patches = new MapPatches(failed);
    $("view-map").addEventListener("keydown", (event) => this.key(event));
    $("previous").addEventListener("click", () => this.turn(-1));
    $("next").addEventListener("click", () => this.turn(1));
    $("grip").addEventListener("click", () => this.open(!$("number-panel").classList.contains("open")));
  }

  // view: { mirrored, genre, sizes }; with a genre the panel is about its gradient.
  start(session, view) {
    this.session = session;
    this.view = view;
    this.views.start();
  }

  step() {
    return this.selected && this.session.steps[this.selected.step];
  }

  open(open) {
    $("number-panel").classList.toggle("open", open);
    $("grip").setAttribute("aria-expanded", String(open));
  }

  turn(by) {
    const step = this.step();
    if (!step) return;
    const channel = (this.selected.position[2] + by + step.channels) % step.channels;
    this.choose(step.step, [this.selected.position[0], this.selected.position[1], channel]);
  }

  key(event) {
    const step = this.step();
    const [row, column, channel] = this.selected?.position ?? [0, 0, 0];
    const moved = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, (step?.width ?? 1) - 1],
      PageUp: [0, column],
      PageDown: [(step?.height ?? 1) - 1, column],
    }[event.key];
    if (!moved || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const to = [Math.max(0, Math.min(moved[0], step.height - 1)), Math.max(0, Math.min(moved[1], step.width - 1)), channel];
    this.choose(step.step, to);
  }

  // selected: { step, position: [row, column, channel], listed }; listed: the map whose window is written out.
  async show(selected) {
    const request = (this.requests += 1);
    this.selected = selected;
    const step = this.step();
    const genre = step.genre_scores && !this.view.genre ? this.session.genres[selected.position[2]] : null;
    const [computation, contributions, gradient] = await Promise.all([
      this.session.json(`numbers/${step.step}?${this.query("input")}`),
      genre && this.session.json(`genres/${encodeURIComponent(genre.genre)}?mirrored=${this.view.mirrored ? 1 : 0}`),
      this.hasGradient(step) && this.session.json(`${this.gradientPath()}?${this.query("output")}`),
    ]);
    if (request !== this.requests) return;
    Object.assign(this, { computation, contributions, gradient });
    this.write();
    this.patches.about(step, selected.position[2]);
    const { session, view } = this;
    await this.views.show({ session, view, step, position: selected.position, computation, contributions, gradient });
  }

  hasGradient(step) {
    return Boolean(this.view.genre && this.view.sizes.has(step.step));
  }

  gradientPath() {
    return `gradients/${encodeURIComponent(this.view.genre)}/numbers/${this.selected.step}`;
  }

  write() {
    const step = this.step();
    const [, , channel] = this.selected.position;
    const computation = this.computation.chain.find((each) => each.step === step.step);
    const genre = this.contributions ? this.session.genres[channel] : null;
    $("number-panel-title").textContent = genre ? genre.genre : step.title;
    $("number-panel-name").textContent = genre ? "one of 25 genres" : this.session.groups[step.group];
    $("code-name").hidden = !step.name || step.step === 0;
    $("code-name-text").textContent = step.name;
    $("which").textContent = step.step === 0 ? channelName(step, channel) : `${step.image ? "map " : ""}${channel} (0–${step.channels - 1})`;
    $("read").replaceChildren(...this.summary(step, computation, genre));
    $("grip-text").textContent = genre ? `${genre.genre} ${percent(genre.probability)}` : `${step.title} · ${number(this.gradient ? this.gradient.chain[0].value : computation.value)}`;
    const before = $("number-panel-inside").scrollTop;
    $("computations").replaceChildren(...this.blocks(step, genre));
    $("number-panel-inside").scrollTop = before;
    const path = this.gradient ? `${this.gradientPath()}?${this.query("output")}` : `numbers/${step.step}?${this.query("input")}`;
    $("as-json").href = `api/v1/inside/${this.session.token}/${path}`;
  }

  blocks(step, genre) {
    const page = {
      steps: this.session.steps,
      go: (to, position) => this.choose(to, position, { scroll: true }),
      pick: (listed) => this.choose(this.selected.step, this.selected.position, { listed }),
      goToOrigin: (origin) => this.choose(origin.step, this.middle(origin), { scroll: true }),
    };
    if (genre) return genreBlocks(this.contributions, genre, page, this.thumbnail);
    if (this.gradient) return this.gradient.chain.map((each) => gradientBlock(each, this.view.genre, page, each.step === step.step));
    return this.computation.chain.map((each) => computationBlock(each, page, each.step === step.step));
  }

  // name: what the API calls the map whose window is written out, on the way forward or back.
  query(name) {
    const [row, column, channel] = this.selected.position;
    const query = new URLSearchParams({ row, column, channel, mirrored: this.view.mirrored ? 1 : 0 });
    const { listed } = this.selected;
    const isOfThisWay = (name === "output") === Boolean(this.view.genre);
    if (listed !== null && listed !== undefined && isOfThisWay) query.set(name, listed);
    return query;
  }

  // The middle of a map; a single number is its own middle.
  middle(origin) {
    const step = this.session.steps[origin.step];
    return [Math.floor(step.height / 2), Math.floor(step.width / 2), origin.channel];
  }

  summary(step, computation, genre) {
    if (genre) return [el("strong", {}, percent(genre.probability)), ` ${genre.genre}, from a score of ${number(computation.value)}.`];
    const [row, column, channel] = this.selected.position;
    const where = step.image ? `row ${row}, column ${column}, ${channelName(step, channel)}` : `number ${channel}`;
    if (this.gradient) {
      return [
        el("strong", {}, number(this.gradient.chain[0].value)),
        ` is the gradient at ${where}: how much the score of ${this.view.genre} changes, per unit, when this number changes a little. The number itself is ${number(computation.value)}.`,
      ];
    }
    const [top, left, bottom, right] = this.computation.receptive_field;
    return [el("strong", {}, number(computation.value)), ` at ${where}. It depends on ${right - left} × ${bottom - top} pixels of the poster.`];
  }
}
