// The network as folded parts: each opens to the cards of its layers, with their maps.
import { el } from "./elements.js";
import { explained } from "./glossary.js";
import { number, whole } from "./numbers.js";
import { Strip } from "./strip.js";
import { sizeText } from "./step_texts.js";

const MAP_OVER_POSTER = 0.72; // opacity

const $ = (id) => document.getElementById(id);

export class NetworkView {
  // choose(step, position) for a click; failed(error) where maps cannot be loaded.
  constructor(holder, choose, failed) {
    Object.assign(this, { holder, choose, failed, strips: new Map(), session: null, view: null, selected: null });
    // Maps are fetched when they come near the view.
    this.near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.load(Number(target.closest(".step").dataset.step));
    }, { rootMargin: "400px" });
    let room = 0;
    let frame = 0;
    new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        if (holder.clientWidth === room) return;
        room = holder.clientWidth;
        for (const strip of this.strips.values()) strip.resize();
      });
    }).observe(holder);
  }

  // A session of another network lays everything out anew; of the same one the numbers are replaced.
  show(session) {
    const { session: old } = this;
    this.session = session;
    if (old?.model === session.model && old.steps.length === session.steps.length) {
      for (const [index, strip] of this.strips) Object.assign(strip, { step: session.steps[index], session: null, path: null });
      return;
    }
    this.strips = new Map();
    const parts = session.groups.map((title, group) => this.part(title, session.steps.filter((step) => step.group === group)));
    this.holder.replaceChildren(...this.foldedMembers(parts));
  }

  // Further members of an ensemble are one folded part each: they are built as the first one.
  foldedMembers(parts) {
    const made = [];
    const [firstNetwork] = this.session.steps.map(({ network }) => network).filter(Boolean);
    const folds = new Map();
    parts.forEach((part, group) => {
      const { network } = this.session.steps.find((step) => step.group === group);
      if (!network || network === firstNetwork) {
        made.push(part);
        return;
      }
      if (!folds.has(network)) {
        const inside = el("div", { className: "member-parts", id: `member-${folds.size}`, hidden: true });
        folds.set(network, inside);
        made.push(el("section", { className: "member" }, el("h2", {}, toggle(inside, () => this.resizeOpen(), `${network}: the same again from another start`)), inside));
      }
      folds.get(network).append(part);
    });
    return made;
  }

  part(title, members) {
    const group = members[0].group;
    const cards = el("div", { className: "cards", id: `cards-${group}`, hidden: true }, ...this.branched(members));
    const layers = `${members.length} ${members.length === 1 ? "step" : "steps"}`;
    const button = toggle(cards, () => this.resizeOpen(), title, el("small", {}, `${this.sizes(members)} · ${layers}`));
    return el("section", { className: "group", id: `group-${group}`, data: { group: String(group) } }, el("h2", {}, button), cards);
  }

  sizes(members) {
    const [first] = members;
    const source = first.inputs.length ? `${sizeText(this.session.steps[first.inputs[0]])} → ` : "";
    return source + sizeText(members[members.length - 1]);
  }

  resizeOpen() {
    for (const strip of this.strips.values()) if (strip.canvas.offsetParent) strip.resize();
  }

  isOpen(group) {
    return !$(`cards-${group}`).hidden;
  }

  // Opens or folds a part, and opens the member that it belongs to.
  open(group, open = true) {
    const section = $(`group-${group}`);
    const member = section.closest(".member");
    if (member && open) setOpen(member.querySelector("h2 > button"), true);
    setOpen(section.querySelector("h2 > button"), open);
    this.resizeOpen();
  }

  // Cards; those of one branch stand together under its name.
  branched(members) {
    const made = [];
    let list = null;
    for (const step of members) {
      if (!list || list.dataset.branch !== step.branch) {
        list = el("div", { className: step.branch ? "branch" : "unbranched", data: { branch: step.branch } });
        if (step.branch) list.append(el("p", { className: "branch-name" }, ...explained(step.branch)));
        made.push(list);
      }
      list.append(this.card(step));
    }
    return made;
  }

  card(step) {
    const made = el(
      "article",
      { className: "step", id: `step-${step.step}`, data: { step: String(step.step) } },
      el("h3", {}, step.title),
      el("p", { className: "facts" }, facts(step)),
      el("p", { className: "gradient-facts", hidden: true }),
      el("p", { className: "description" }, ...explained(step.text)),
    );
    if (step.filters) made.append(filterPicture(step));
    if (step.genre_scores) made.append(el("ul", { className: "bars all", id: "all-genres" }));
    else if (step.shown && step.kind !== "Dropout" && step.kind !== "Flatten") made.append(this.stripOf(step));
    return made;
  }

  stripOf(step) {
    const strip = new Strip(step, ({ channel, row, column }) => {
      const chosen = this.selected?.step === step.step;
      const [oldRow, oldColumn] = chosen ? this.selected.position : [Math.floor(step.height / 2), Math.floor(step.width / 2)];
      this.choose(step.step, [row ?? oldRow, column ?? oldColumn, channel]);
    });
    this.strips.set(step.step, strip);
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

  // view: { mirrored, genre, sizes }; fetches what is in sight anew.
  look(view) {
    this.view = view;
    this.poster = null;
    this.near.disconnect();
    for (const strip of this.strips.values()) this.near.observe(strip.canvas);
    for (const { step } of this.session.steps) {
      const line = $(`step-${step}`).querySelector(".gradient-facts");
      const size = view.genre && view.sizes.get(step);
      line.hidden = !size;
      line.textContent = size ? `Gradient: ${number(size.rms)} on average (root mean square), ${Math.round(100 * size.zeros)} % of it exactly 0` : "";
    }
  }

  // Resolves when a step's maps are drawn.
  load(step) {
    const loading = this.strips.get(step)?.load(this.session, this.view);
    loading?.catch(this.failed);
    return loading;
  }

  // A small picture of one map in its place on the poster: faded where it is 0, coloured where it is not.
  thumbnail(step, channel) {
    const [{ height, width }] = this.session.steps;
    const canvas = Object.assign(document.createElement("canvas"), { className: "thumb", width, height });
    const strip = this.strips.get(step);
    this.poster ??= this.session.picture(this.session.posterPath(this.view));
    Promise.all([this.poster, this.load(step)]).then(([poster]) => {
      const pen = canvas.getContext("2d");
      pen.drawImage(poster, 0, 0, width, height);
      pen.globalAlpha = MAP_OVER_POSTER;
      strip.drawTile(pen, channel, 0, 0, width, height);
    }).catch(this.failed);
    return canvas;
  }

  mark(selected) {
    this.selected = selected;
    for (const [index, strip] of this.strips) strip.mark(index === selected.step ? selected.position[2] : null);
    for (const each of this.holder.querySelectorAll(".step")) each.classList.toggle("chosen", Number(each.dataset.step) === selected.step);
  }
}

function toggle(inside, opened, ...content) {
  const button = el("button", { type: "button", className: "fold", "aria-expanded": "false", "aria-controls": inside.id }, ...content);
  button.addEventListener("click", () => {
    setOpen(button, inside.hidden);
    opened();
  });
  return button;
}

function setOpen(button, open) {
  button.setAttribute("aria-expanded", String(open));
  $(button.getAttribute("aria-controls")).hidden = !open;
}

function facts(step) {
  const weights = step.count ? ` · ${whole(step.count)} parameters` : "";
  const work = step.multiply_adds ? ` · ${(step.multiply_adds / 1e6).toFixed(step.multiply_adds < 1e6 ? 2 : 1)} M multiplications` : "";
  return `${step.image ? `${step.width} × ${step.height} pixels, ${step.channels} ${step.step === 0 ? "colours" : "maps"}` : `${whole(step.channels)} numbers`}${weights}${work}`;
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
  return el("div", {}, el("p", { className: "soft" }, `Its ${out} filters as pictures: bright where the weight of a colour is positive, dark where it is negative, mid-grey where it is 0.`), holder);
}
