// The three pictures of the number panel: the poster with the receptive field, the map that is read with the window, the map.
import { explained } from "./glossary.js";
import { writeLegend } from "./legend.js";
import { drawView, pixelAt } from "./views.js";
import { channelName } from "./widgets.js";

const $ = (id) => document.getElementById(id);

export class PanelViews {
  // choosePixel(row, column) is called for a click on the map that the number is on.
  constructor(choosePixel) {
    Object.assign(this, { shown: null, pictures: new Map(), requests: 0 });
    $("view-map").addEventListener("click", (event) => this.shown?.step.image && choosePixel(...this.pixel(event)));
    $("view-map").addEventListener("pointermove", (event) => this.slide(this.shown?.step.image ? this.pixel(event) : null));
    $("view-map").addEventListener("pointerleave", () => this.slide(null));
    new ResizeObserver(() => this.draw()).observe($("view-poster").parentElement);
    $("caption-poster").replaceChildren(...explained("Receptive field"));
  }

  // The pictures of another session are forgotten.
  start() {
    this.pictures.clear();
  }

  pixel(event) {
    const { height, width } = this.shown.step;
    return pixelAt($("view-map"), event, height, width);
  }

  // about: { session, view, step, position, computation, contributions, gradient }
  async show(about) {
    const request = (this.requests += 1);
    const others = about.gradient ? gradientViews(about) : forwardViews(about);
    const { session, view } = about;
    const [poster, ...maps] = await Promise.all([
      this.picture(session, session.posterPath(view)),
      ...others.map((other) => other && this.picture(session, session.mapsPath(other.step.step, other.gradient ? view : { ...view, genre: null }, other.channel))),
    ]);
    if (request !== this.requests) return;
    this.shown = { ...about, poster, maps, others };
    this.draw();
  }

  picture(session, path) {
    if (!this.pictures.has(path)) {
      if (this.pictures.size > 200) this.pictures.delete(this.pictures.keys().next().value);
      this.pictures.set(path, session.picture(path));
    }
    return this.pictures.get(path);
  }

  draw() {
    if (!this.shown) return;
    const { poster, maps, others, computation, session, view } = this.shown;
    const [top, left, bottom, right] = computation.receptive_field;
    const [size] = session.steps;
    drawView($("view-poster"), poster, size.height, size.width, [{ top, left, bottom, right, kind: "receptive field" }]);
    $("view-poster").setAttribute("aria-label", `The poster; framed: rows ${top} to ${bottom - 1} of ${size.height}, columns ${left} to ${right - 1} of ${size.width}`);
    ["input", "map"].forEach((name, i) => {
      const other = others[i];
      $(`view-${name}`).closest("figure").hidden = !other;
      if (!other) return;
      drawView($(`view-${name}`), maps[i], other.step.height, other.step.width, other.frames);
      $(`caption-${name}`).textContent = other.caption;
      writeLegend($(`tones-${name}`), $(`clipped-${name}`), maps[i], other.gradient ? view.sizes.get(other.step.step).scale : other.step.scale);
      const keys = name === "map" ? "; arrow keys move the pixel" : "";
      $(`view-${name}`).setAttribute("aria-label", `${other.caption}, ${other.step.height} rows and ${other.step.width} columns${keys}`);
    });
  }

  // The window slides with the pointer: pixel, [row, column] of the map under it, null for none.
  slide(pixel) {
    const [input, map] = this.shown?.others ?? [];
    if (!input || !map) return;
    const { position, computation, gradient, maps } = this.shown;
    const [first] = computation.chain;
    const [row, column] = pixel ?? position;
    const moved = !gradient && first.stride && windowFrame(first, input.step, [row - position[0], column - position[1]]);
    if (moved) drawView($("view-input"), maps[0], input.step.height, input.step.width, [moved]);
    const frames = pixel ? [...map.frames, pixelFrame(pixel)] : map.frames;
    drawView($("view-map"), maps[1], map.step.height, map.step.width, frames);
  }
}

// What the second and the third picture show: { step, channel, frames, caption, gradient }, or null.
function forwardViews({ session, step, position, computation, contributions }) {
  const { steps } = session;
  const whole = (origin, caption) => steps[origin.step].image && { step: steps[origin.step], channel: origin.channel, frames: [], caption };
  if (contributions) {
    const { features } = contributions;
    const [most, least] = [features[0].origin, features[features.length - 1].origin];
    const named = (what, { step: index, channel: map }) => [what, steps[index].network, `map ${map}`].filter(Boolean).join(": ");
    return [whole(most, named("Most for", most)), whole(least, named("Most against", least))];
  }
  const [first] = computation.chain;
  const source = sourceView(first, steps, step);
  if (!step.image) {
    const { origin } = computation;
    return [source ?? whole(origin, `The ${origin.how} of map ${origin.channel}`), null];
  }
  const caption = step.step === 0 ? `This colour: ${channelName(step, position[2])}` : `This map: ${position[2]}`;
  return [source, { step, channel: position[2], frames: [pixelFrame(position)], caption }];
}

// The map that a computation reads, and the window on it.
function sourceView(first, steps, chosen) {
  if (!first.inputs.length) return null;
  if (first.kind === "concatenation" && chosen.image) {
    const step = steps[first.from_step];
    const channel = first.from[2];
    return { step, channel, frames: [pixelFrame(first.from)], caption: step.network ? `${step.network}: map ${channel}` : `Reads map ${channel}` };
  }
  const step = steps[first.inputs[0]];
  if (!step.image || !chosen.image) {
    if (!first.kind.startsWith("global")) return null;
    const channel = first.position[2];
    return { step, channel, frames: first.winner ? [pixelFrame(first.winner)] : [], caption: `Reads map ${channel}` };
  }
  const channel = first.input_channel ?? first.position[2];
  const frames = first.corner ? [windowFrame(first, step)] : first.kind === "sum" ? [pixelFrame(first.position)] : [];
  return { step, channel, frames, caption: first.kind === "sum" ? `Main path: map ${channel}` : `Reads ${channelName(step, channel)}` };
}

// On the way back: the gradient that is passed back, framed where it comes from, and the gradient of this map.
function gradientViews({ session, step, position, gradient }) {
  const own = step.image ? { step, channel: position[2], frames: [pixelFrame(position)], caption: "Gradient of this map", gradient: true } : null;
  const [term] = gradient.chain[0].terms;
  const reader = term && session.steps[term.reader];
  if (!reader?.image) return [null, own];
  const caption = (channel) => `Above: ${reader.title.toLowerCase()}, ${channelName(reader, channel)}`;
  const above = (channel, frames) => ({ step: reader, channel, frames, caption: caption(channel), gradient: true });
  if (term.kind === "convolution") {
    const cells = term.at.flat().filter((at) => at !== null);
    return [above(term.output_channel, cells.length ? [around(cells)] : []), own];
  }
  if (term.windows) return [above(position[2], [around(term.windows.map(([at]) => at))]), own];
  return [term.position && above(term.position[2], [pixelFrame(term.position)]), own];
}

function pixelFrame([row, column]) {
  return { top: row, left: column, bottom: row + 1, right: column + 1 };
}

function around(cells) {
  const [tall, wide] = [cells.map(([row]) => row), cells.map(([, column]) => column)];
  return { top: Math.min(...tall), left: Math.min(...wide), bottom: Math.max(...tall) + 1, right: Math.max(...wide) + 1 };
}

// A window on its step, cut off at the edges; moved by [rows, columns] of the output.
function windowFrame({ corner, size, dilation, stride }, { height, width }, [down, across] = [0, 0]) {
  const top = corner[0] + down * stride[0];
  const left = corner[1] + across * stride[1];
  return {
    top: Math.max(top, 0),
    left: Math.max(left, 0),
    bottom: Math.min(top + (size[0] - 1) * dilation[0] + 1, height),
    right: Math.min(left + (size[1] - 1) * dilation[1] + 1, width),
  };
}
