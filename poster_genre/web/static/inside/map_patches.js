// What a map looks for: the patches of many posters at which it is largest, asked for when the part is opened.
import { number } from "./numbers.js";
import { fetchPatches } from "./trace_session.js";

const $ = (id) => document.getElementById(id);

export class MapPatches {
  constructor(failed) {
    Object.assign(this, { failed, shown: null, wanted: null });
    $("patches").addEventListener("toggle", () => this.load());
  }

  // The map that the panel is about; a step without maps that a layer computed has none.
  about(step, channel) {
    const has = step.image && step.inputs.length > 0;
    $("patches").hidden = !has;
    this.wanted = has ? `${step.step}|${channel}` : null;
    this.load();
  }

  async load() {
    const { wanted } = this;
    if (!wanted || !$("patches").open || this.shown === wanted) return;
    this.shown = wanted;
    const [step, channel] = wanted.split("|");
    $("patches-picture").hidden = true;
    $("patches-text").textContent = "Searching posters; the first time that takes some seconds …";
    try {
      const found = await fetchPatches(step, channel);
      if (this.wanted === wanted) this.write(found, `api/v1/inside/patches/${step}.png?channel=${channel}`);
    } catch (error) {
      this.shown = null;
      $("patches-text").textContent = "";
      this.failed(error);
    }
  }

  write({ source, patches }, picture) {
    const values = patches.map(({ value }) => number(value)).join(", ");
    $("patches-text").textContent = patches.length
      ? `Of ${source}, the ${patches.length} on which this map has its largest numbers, and there the part that the number was computed from: ${values}.`
      : `This map is above 0 on none of ${source}.`;
    $("patches-picture").src = picture;
    $("patches-picture").alt = `${patches.length} patches of posters, the strongest first`;
    $("patches-picture").hidden = !patches.length;
  }
}
