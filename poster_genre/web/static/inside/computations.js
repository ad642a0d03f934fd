// How a number was computed: one block for each computation of the chain.
import { el, tint } from "./elements.js";
import { differenceText, narrow, number, signed, term, whole } from "./numbers.js";

const LISTED = 8;
const BRANCHES = { body: "main path", projection: "shortcut" };

// page: { steps, go(step, position), pick(inputChannel) }
export function computationBlock(computation, page, focused) {
  const step = page.steps[computation.step];
  const title = el("h3", {}, step.title);
  const made = el(
    "section",
    { className: `computation${focused ? " focused" : ""}`, data: { step: String(computation.step), kind: computation.kind } },
    el("div", { className: "computation-head" }, title, jump(computation, page, focused)),
    ...WRITERS[computation.kind](computation, page, step),
  );
  made.append(check(computation));
  return made;
}

function jump(computation, page, focused) {
  if (focused) return el("span", { className: "badge" }, "chosen");
  return el("button", { type: "button", className: "plain tiny", onclick: () => page.go(computation.step, computation.position) }, "Choose");
}

const WRITERS = {
  input: (a) => [
    formula("(pixel ÷ 255 − mean) ÷ deviation"),
    sum(`(${a.pixel} ÷ 255 − ${number(a.mean)}) ÷ ${number(a.std)}`, a.value),
    el("p", { className: "soft" }, `${a.colour}: the pixel is ${a.pixel} of 255.`),
  ],
  convolution,
  normalisation: (a) => [
    formula("(x − mean) ÷ √(variance + ε) × γ + β"),
    rows([
      ["x, from the layer before", number(a.x)],
      [`− mean ${term(a.mean)}`, number(a.centred)],
      [`÷ √(${number(a.variance)} + ${number(a.eps)}) = ${number(a.deviation)}`, number(a.normalised)],
      [`× γ ${term(a.gamma)}`, number(a.scaled)],
      [`+ β ${term(a.beta)}`, number(a.computed)],
    ]),
    sum("", a.value),
  ],
  activation: (a) => {
    if (a.function === "ReLU") {
      const text = a.x > 0 ? "It is positive and stays." : "It is not positive and becomes 0.";
      return [formula("max(0, x)"), sum(`max(0, ${number(a.x)})`, a.value), el("p", { className: "soft" }, text)];
    }
    const written = { Sigmoid: "1 ÷ (1 + e⁻ˣ)", SiLU: "x ÷ (1 + e⁻ˣ)", Tanh: "tanh x", LeakyReLU: "x, or slope × x below 0" };
    return [formula(written[a.function] ?? a.function), rows([["x", number(a.x)]]), sum("", a.value)];
  },
  "max pooling": (a, page, step) => [
    formula("the largest number of the window"),
    el("div", { className: "grids" }, grid(a.patch, {
      label: "window",
      inside: a.on_image,
      winner: a.winner,
      go: (p, q) => page.go(step.inputs[0], [a.corner[0] + p, a.corner[1] + q, a.position[2]]),
    })),
    el("p", {}, `${whole(a.size[0] * a.size[1])} numbers; the one in row ${a.winner[0] + 1}, column ${a.winner[1] + 1} of the window is the largest.`),
    sum("maximum", a.value),
  ],
  "average pooling": (a, page, step) => [
    formula("sum of the window ÷ number of its pixels within the map"),
    el("div", { className: "grids" }, grid(a.patch, {
      label: "window",
      inside: a.on_image,
      go: (p, q) => page.go(step.inputs[0], [a.corner[0] + p, a.corner[1] + q, a.position[2]]),
    })),
    sum(`${number(a.sum)} ÷ ${a.count}`, a.value),
  ],
  "global average": (a) => [formula("sum of the map ÷ number of its pixels"), sum(`${number(a.sum)} ÷ ${whole(a.count)}`, a.value)],
  "global maximum": (a, page, step) => [
    formula("the largest number of the map"),
    el("p", {}, "It is at ", positionButton(page, step.inputs[0], [...a.winner, a.position[2]]), "."),
    sum("maximum", a.value),
  ],
  sum: (a, page) => [formula("main path + shortcut"), ...parts(a, page, "+"), sum("", a.value)],
  product: (a, page) => [formula("factor × factor"), ...parts(a, page, "×"), sum("", a.value)],
  concatenation: (a, page) => [el("p", {}, "Copied from ", positionButton(page, a.from_step, a.from), ".")],
  flatten: (a, page, step) => [el("p", {}, "Copied from ", positionButton(page, step.inputs[0], a.from), ".")],
  dropout: (a) => [el("p", {}, `Unchanged. In training it was set to 0 in ${Math.round(a.rate * 100)} % of the steps.`), sum("", a.value)],
  dense: (a, page, step) => [
    formula("sum of x × weight, + bias"),
    contributions(a, page, step),
    rows([
      [`the other ${whole(a.features - a.up.length - a.down.length)} features together`, signed(a.rest)],
      [`all ${whole(a.features)} features`, number(a.total)],
      ["+ bias", a.bias === null ? "none" : signed(a.bias)],
    ]),
    sum("", a.value),
  ],
};

function convolution(a, page, step) {
  const source = page.steps[step.inputs[0]];
  const name = channelName(source, a.input_channel);
  const count = a.size[0] * a.size[1];
  const outside = a.on_image.flat().filter((on) => !on).length;
  const go = (p, q) => page.go(source.step, [a.corner[0] + p * a.dilation[0], a.corner[1] + q * a.dilation[1], a.input_channel]);
  return [
    formula("sum over all input maps of patch × kernel, + bias"),
    el("p", { className: "soft" }, `Input ${name} of “${source.title}” (${source.name})`, outside ? `; ${outside} of the ${count} cells lie off the edge and count 0` : "", "."),
    el(
      "div",
      { className: "grids" },
      grid(a.patch, { label: "patch", inside: a.on_image, go }),
      el("span", { className: "sign", "aria-hidden": "true" }, "×"),
      grid(a.kernel, { label: "kernel" }),
      el("span", { className: "sign", "aria-hidden": "true" }, "="),
      grid(a.products, { label: "products" }),
    ),
    rows([[count > 1 ? `sum of the ${count} products` : "the product", number(a.sum)]]),
    el("p", { className: "lead" }, `All ${a.channels.length} input maps, by what they add`),
    channelBars(a, page, source),
    rows([
      [`sum over all ${a.channels.length} maps`, number(a.total)],
      ["+ bias", a.bias === null ? "none: the normalisation has one" : signed(a.bias)],
    ]),
    sum("", a.value),
  ];
}

function channelBars(a, page, source) {
  const strongest = Math.abs(a.channels[0][1]) || 1;
  const listed = a.channels.slice(0, LISTED);
  if (!listed.some(([channel]) => channel === a.input_channel)) {
    listed.push(a.channels.find(([channel]) => channel === a.input_channel));
  }
  const list = el("ul", { className: "bars" }, ...listed.map(([channel, value]) => {
    const bar = el("span", { className: "fill", "aria-hidden": "true" });
    bar.classList.toggle("minus", value < 0);
    bar.style.width = `${(50 * Math.abs(value)) / strongest}%`;
    return el("li", {}, el(
      "button",
      { type: "button", "aria-pressed": String(channel === a.input_channel), onclick: () => page.pick(channel) },
      el("span", { className: "name" }, channelName(source, channel)),
      el("span", { className: "axis" }, bar),
      el("span", { className: "value" }, signed(value)),
    ));
  }));
  const rest = a.channels.length - listed.length;
  if (rest > 0) {
    const left = a.total - listed.reduce((whole, [, value]) => whole + value, 0);
    list.append(el("li", { className: "others" }, el("span", {}, `the other ${rest}`), el("span", { className: "value" }, signed(left))));
  }
  return list;
}

// A dense layer's features, each of which is a number of the step before.
function contributions(a, page, step) {
  const strongest = Math.max(...[...a.up, ...a.down].map(([, , , product]) => Math.abs(product)), 1e-12);
  return el("ul", { className: "bars" }, ...[...a.up.slice(0, LISTED), ...a.down.slice(0, LISTED)].map(([feature, x, weight, product]) => {
    const bar = el("span", { className: "fill", "aria-hidden": "true" });
    bar.classList.toggle("minus", product < 0);
    bar.style.width = `${(50 * Math.abs(product)) / strongest}%`;
    return el("li", {}, el(
      "button",
      { type: "button", title: `${number(x)} × ${number(weight)}`, onclick: () => page.go(step.inputs[0], [0, 0, feature]) },
      el("span", { className: "name" }, `number ${feature}`),
      el("span", { className: "axis" }, bar),
      el("span", { className: "value" }, signed(product)),
    ));
  }));
}

export function channelName(source, channel) {
  if (source.step === 0) return ["red", "green", "blue"][channel];
  return source.image ? `map ${channel}` : `number ${channel}`;
}

function parts(a, page, sign) {
  return [rows(a.parts.map((part, i) => [
    [i ? `${sign} ` : "", positionButton(page, part.step, part.position), ` (${BRANCHES[part.branch] ?? part.branch})`],
    number(part.value),
  ]))];
}

function positionButton(page, index, [row, column, channel]) {
  const step = page.steps[index];
  const where = step.image ? `row ${row}, column ${column}, ${channelName(step, channel)}` : `number ${channel}`;
  const whose = step.network ? `${step.network}, ` : "";
  return el("button", { type: "button", className: "plain tiny", onclick: () => page.go(index, [row, column, channel]) }, `${whose}${step.title}, ${where}`);
}

function formula(text) {
  return el("p", { className: "formula" }, text);
}

function rows(pairs) {
  return el("dl", { className: "rows" }, ...pairs.map(([name, value]) =>
    el("div", {}, el("dt", {}, ...(Array.isArray(name) ? name : [name])), el("dd", {}, value))));
}

function sum(text, value) {
  return el("p", { className: "result" }, text ? `${text} = ` : "= ", el("strong", {}, number(value)));
}

function check(a) {
  const again = a.difference === undefined ? "" : `Computed again in double precision: ${number(a.computed)}, ${differenceText(a.difference)}. `;
  const fused = a.fused === null ? "The fused network does not store it." : `The fused network has ${number(a.fused)}, ${differenceText(a.fused_difference)}.`;
  return el("p", { className: "check" }, again, a.kind === "input" ? "" : fused);
}

function grid(values, { label, inside, winner, go }) {
  const scale = Math.max(...values.flat().map(Math.abs), 1e-12);
  const body = el("tbody", {}, ...values.map((line, p) => el("tr", {}, ...line.map((x, q) => {
    const off = inside && !inside[p][q];
    const cell = el("td", {});
    if (off) {
      cell.className = "off";
      cell.append(el("span", { title: "off the edge: counts 0" }, "0"));
    } else if (go) {
      cell.append(el("button", { type: "button", title: "Choose this number", onclick: () => go(p, q) }, narrow(x)));
    } else {
      cell.append(narrow(x));
    }
    if (!off) tint(cell, x, scale);
    if (winner && winner[0] === p && winner[1] === q) cell.classList.add("winner");
    return cell;
  }))));
  return el("table", { className: "grid" }, el("caption", {}, label), body);
}
