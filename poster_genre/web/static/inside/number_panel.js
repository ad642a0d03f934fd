// The panel beside the network: one number, its position, and how it was computed.
import { channelName, computationBlock } from "./computations.js";
import { background, el } from "./elements.js";
import { genreBlocks, percent } from "./genres.js";
import { writeLegend } from "./legend.js";
import { drawView, pixelAt } from "./views.js";
import { number } from "./numbers.js";

const $ = (id) => document.getElementById(id);

export class NumberPanel {
  // choose(step, position, options) changes the selection; thumbnail(step, channel) draws a small map.
  constructor(choose, thumbnail) {
    Object.assign(this, { choose, thumbnail, session: null, selected: null, pictures: new Map(), requests: 0 });
    $("view-map").addEventListener("click", (event) => {
      const step = this.step();
      if (step?.image) this.choose(step.step, [...pixelAt($("view-map"), event, step.height, step.width), this.selected.position[2]]);
    });
    $("view-map").addEventListener("keydown", (event) => this.key(event));
    $("previous").addEventListener("click", () => this.turn(-1));
    $("next").addEventListener("click", () => this.turn(1));
    $("grip").addEventListener("click", () => this.open(!$("number-panel").classList.contains("open")));
    new ResizeObserver(() => this.drawViews()).observe($("view-poster").parentElement);
  }

  start(session, mirrored) {
    this.session = session;
    this.mirrored = mirrored;
    this.pictures.clear();
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

  // selected: { step, position: [row, column, channel], input }
  async show(selected) {
    const request = (this.requests += 1);
    this.selected = selected;
    const step = this.step();
    const genre = step.genre_scores ? this.session.genres[selected.position[2]] : null;
    const [computation, contributions] = await Promise.all([
      this.session.json(`numbers/${step.step}?${this.query()}`),
      genre && this.session.json(`genres/${encodeURIComponent(genre.genre)}?mirrored=${this.mirrored ? 1 : 0}`),
    ]);
    if (request !== this.requests) return;
    this.computation = computation;
    this.contributions = contributions;
    this.write();
    await this.loadViews(request);
  }

  write() {
    const step = this.step();
    const steps = this.session.steps;
    const [, , channel] = this.selected.position;
    const computation = this.computation.chain.find((each) => each.step === step.step);
    const genre = this.contributions ? this.session.genres[channel] : null;
    $("number-panel-title").textContent = genre ? genre.genre : step.title;
    $("number-panel-name").textContent = genre ? "one of 25 genres" : `${this.session.groups[step.group]} · ${step.name}`;
    $("which").textContent = step.step === 0 ? channelName(step, channel) : `${step.image ? "map " : ""}${channel} (0–${step.channels - 1})`;
    $("read").replaceChildren(...this.summary(step, computation, genre));
    $("grip-text").textContent = genre ? `${genre.genre} ${percent(genre.probability)}` : `${step.title} · ${number(computation.value)}`;
    const page = {
      steps,
      go: (to, position) => this.choose(to, position, { scroll: true }),
      pick: (input) => this.choose(this.selected.step, this.selected.position, { input }),
      goToOrigin: (origin) => this.choose(origin.step, this.middle(origin), { scroll: true }),
    };
    const before = $("number-panel-inside").scrollTop;
    $("computations").replaceChildren(
      ...(genre
        ? genreBlocks(this.contributions, genre, page, this.thumbnail)
        : this.computation.chain.map((each) => computationBlock(each, page, each.step === step.step))),
    );
    $("number-panel-inside").scrollTop = before;
    $("as-json").href = `api/v1/inside/${this.session.token}/numbers/${step.step}?${this.query()}`;
  }

  query() {
    const [row, column, channel] = this.selected.position;
    const query = new URLSearchParams({ row, column, channel, mirrored: this.mirrored ? 1 : 0 });
    if (this.selected.input !== null && this.selected.input !== undefined) query.set("input", this.selected.input);
    return query;
  }

  // The middle of a map; a single number is its own middle.
  middle(origin) {
    const step = this.session.steps[origin.step];
    return [Math.floor(step.height / 2), Math.floor(step.width / 2), origin.channel];
  }

  // The second and the third picture: { step, channel, frames, caption }, or null.
  others() {
    const step = this.step();
    const { steps } = this.session;
    const whole = (origin, caption) => steps[origin.step].image && { step: steps[origin.step], channel: origin.channel, frames: [], caption };
    if (this.contributions) {
      const { features } = this.contributions;
      const [most, least] = [features[0].origin, features[features.length - 1].origin];
      const named = (what, { step: index, channel: map }) => [what, steps[index].network, `map ${map}`].filter(Boolean).join(": ");
      return [whole(most, named("Most for", most)), whole(least, named("Most against", least))];
    }
    if (!step.image) {
      const { origin } = this.computation;
      const own = this.source();
      return [own ?? whole(origin, `The ${origin.how} of map ${origin.channel}`), null];
    }
    const channel = this.selected.position[2];
    const caption = step.step === 0 ? `This colour: ${channelName(step, channel)}` : `This map: ${channel}`;
    return [this.source(), { step, channel, frames: [pixel(this.selected.position)], caption }];
  }

  summary(step, computation, genre) {
    const [row, column, channel] = this.selected.position;
    const [top, left, bottom, right] = this.computation.receptive_field;
    const text = `It depends on ${right - left} × ${bottom - top} pixels of the poster.`;
    if (genre) return [el("strong", {}, percent(genre.probability)), ` ${genre.genre}, from a score of ${number(computation.value)}.`];
    const where = step.image ? `row ${row}, column ${column}, ${channelName(step, channel)}` : `number ${channel}`;
    return [el("strong", {}, number(computation.value)), ` at ${where}. ${text}`];
  }

  // The map that the chain reads from, and the window on it.
  source() {
    const [first] = this.computation.chain;
    const { steps } = this.session;
    if (!first.inputs.length) return null;
    if (first.kind === "concatenation" && this.step().image) return this.concatenated(first);
    const step = steps[first.inputs[0]];
    if (!step.image || !this.step().image) return first.kind.startsWith("global") ? this.pooled(step, first) : null;
    const channel = first.input_channel ?? first.position[2];
    const frames = [];
    if (first.corner) {
      const [top, left] = first.corner;
      const tall = (first.size[0] - 1) * first.dilation[0] + 1;
      const wide = (first.size[1] - 1) * first.dilation[1] + 1;
      frames.push(clipped({ top, left, bottom: top + tall, right: left + wide }, step));
    } else if (first.kind === "sum") {
      frames.push(pixel(first.position));
    }
    const caption = first.kind === "sum" ? `Main path: map ${channel}` : `Reads ${channelName(step, channel)}`;
    return { step, channel, frames, caption };
  }

  // The branch's map that a concatenated one was copied from.
  concatenated(computation) {
    const step = this.session.steps[computation.from_step];
    const channel = computation.from[2];
    const caption = step.network ? `${step.network}: map ${channel}` : `Reads map ${channel}`;
    return { step, channel, frames: [pixel(computation.from)], caption };
  }

  // The map that a global pooling reduces to one number.
  pooled(step, computation) {
    const channel = computation.position[2];
    const frames = computation.winner ? [pixel(computation.winner)] : [];
    return { step, channel, frames, caption: `Reads map ${channel}` };
  }

  async loadViews(request) {
    const others = this.others();
    const [poster, ...maps] = await Promise.all([
      this.picture(`poster.png?mirrored=${this.mirrored ? 1 : 0}`),
      ...others.map((view) => view && this.map(view.step, view.channel)),
    ]);
    if (request !== this.requests) return;
    this.views = { poster, maps, others, receptiveField: this.computation.receptive_field };
    this.drawViews();
  }

  map(step, channel) {
    return this.picture(`maps/${step.step}.png?channel=${channel}&background=${background()}&mirrored=${this.mirrored ? 1 : 0}`);
  }

  async picture(path) {
    if (!this.pictures.has(path)) {
      if (this.pictures.size > 200) this.pictures.delete(this.pictures.keys().next().value);
      this.pictures.set(path, this.session.picture(path));
    }
    return this.pictures.get(path);
  }

  drawViews() {
    if (!this.views) return;
    const { poster, maps, others, receptiveField } = this.views;
    const [top, left, bottom, right] = receptiveField;
    const [size] = this.session.steps;
    drawView($("view-poster"), poster, size.height, size.width, [{ top, left, bottom, right, kind: "receptive field" }]);
    $("caption-poster").textContent = "Receptive field";
    ["input", "map"].forEach((name, i) => {
      const view = others[i];
      $(`view-${name}`).closest("figure").hidden = !view;
      if (!view) return;
      drawView($(`view-${name}`), maps[i], view.step.height, view.step.width, view.frames);
      $(`caption-${name}`).textContent = view.caption;
      writeLegend($(`tones-${name}`), $(`clipped-${name}`), maps[i], view.step.scale);
      const keys = name === "map" ? "; arrow keys move the pixel" : "";
      $(`view-${name}`).setAttribute("aria-label", `${view.caption}, ${view.step.height} rows and ${view.step.width} columns${keys}`);
    });
    $("view-poster").setAttribute("aria-label", `The poster; framed: rows ${top} to ${bottom - 1} of ${size.height}, columns ${left} to ${right - 1} of ${size.width}`);
  }
}

function pixel([row, column]) {
  return { top: row, left: column, bottom: row + 1, right: column + 1 };
}

function clipped({ top, left, bottom, right }, { height, width }) {
  return { top: Math.max(top, 0), left: Math.max(left, 0), bottom: Math.min(bottom, height), right: Math.min(right, width) };
}
