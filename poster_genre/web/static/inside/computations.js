// How a number was computed: one block for each computation of the chain.
import { addingUp } from "./adding_up.js";
import { el } from "./elements.js";
import { explained } from "./glossary.js";
import { differenceText, number, signed, term, whole } from "./numbers.js";
import { addendBars, channelName, chooseButton, formula, grid, positionButton, productBars, productGrids, result, rows } from "./widgets.js";

const BRANCHES = { body: "main path", projection: "shortcut" };

// page: { steps, go(step, position), pick(inputChannel) }
export function computationBlock(computation, page, focused) {
  const step = page.steps[computation.step];
  const title = el("h3", {}, ...explained(step.title));
  const made = el(
    "section",
    { className: `computation${focused ? " focused" : ""}`, data: { step: String(computation.step), kind: computation.kind } },
    el("div", { className: "computation-head" }, title, chooseButton(computation, page, focused)),
    ...WRITERS[computation.kind](computation, page, step),
  );
  made.append(check(computation));
  return made;
}

const WRITERS = {
  input: (a) => [
    formula("(pixel ÷ 255 − mean) ÷ deviation"),
    result(`(${a.pixel} ÷ 255 − ${number(a.mean)}) ÷ ${number(a.std)}`, a.value),
    el("p", { className: "soft" }, `${a.colour}: the pixel is ${a.pixel} of 255.`),
  ],
  convolution,
  normalisation: (a) => [
    formula("(x − mean) ÷ √(variance + ε) × weight + bias"),
    rows([
      ["x, from the layer before", number(a.x)],
      [`− mean ${term(a.mean)}`, number(a.centred)],
      [`÷ √(${number(a.variance)} + ${number(a.eps)}) = ${number(a.deviation)}`, number(a.normalised)],
      [`× weight ${term(a.gamma)}`, number(a.scaled)],
      [`+ bias ${term(a.beta)}`, number(a.computed)],
    ]),
    result("", a.value),
  ],
  activation: (a) => {
    if (a.function === "ReLU") {
      const text = a.x > 0 ? "It is positive and stays." : "It is not positive and becomes 0.";
      return [formula("max(0, x)"), result(`max(0, ${number(a.x)})`, a.value), el("p", { className: "soft" }, text)];
    }
    const written = { Sigmoid: "1 ÷ (1 + e⁻ˣ)", SiLU: "x ÷ (1 + e⁻ˣ)", Tanh: "tanh x", LeakyReLU: "x, or slope × x below 0" };
    return [formula(written[a.function] ?? a.function), rows([["x", number(a.x)]]), result("", a.value)];
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
    result("maximum", a.value),
  ],
  "average pooling": (a, page, step) => [
    formula("sum of the window ÷ number of its pixels within the map"),
    el("div", { className: "grids" }, grid(a.patch, {
      label: "window",
      inside: a.on_image,
      go: (p, q) => page.go(step.inputs[0], [a.corner[0] + p, a.corner[1] + q, a.position[2]]),
    })),
    result(`${number(a.sum)} ÷ ${a.count}`, a.value),
  ],
  "global average": (a) => [formula("sum of the map ÷ number of its pixels"), result(`${number(a.sum)} ÷ ${whole(a.count)}`, a.value)],
  "global maximum": (a, page, step) => [
    formula("the largest number of the map"),
    el("p", {}, "It is at ", positionButton(page, step.inputs[0], [...a.winner, a.position[2]]), "."),
    result("maximum", a.value),
  ],
  sum: (a, page) => [formula("main path + shortcut"), ...parts(a, page, "+"), result("", a.value)],
  product: (a, page) => [formula("factor × factor"), ...parts(a, page, "×"), result("", a.value)],
  concatenation: (a, page) => [el("p", {}, "Copied from ", positionButton(page, a.from_step, a.from), ".")],
  flatten: (a, page, step) => [el("p", {}, "Copied from ", positionButton(page, step.inputs[0], a.from), ".")],
  dropout: (a) => [el("p", {}, `Unchanged. In training it was set to 0 in ${Math.round(a.rate * 100)} % of the steps.`), result("", a.value)],
  dense: (a, page, step) => [
    formula("sum of x × weight, + bias"),
    productBars(a, (feature) => page.go(step.inputs[0], [0, 0, feature])),
    rows([
      [`the other ${whole(a.features - a.up.length - a.down.length)} features together`, signed(a.rest)],
      [`all ${whole(a.features)} features`, number(a.total)],
      ["+ bias", a.bias === null ? "none" : signed(a.bias)],
    ]),
    result("", a.value),
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
    el("p", { className: "soft" }, `Input ${name} of “${source.title}”`, outside ? `; ${outside} of the ${count} cells lie off the edge and count 0` : "", "."),
    ...addingUp(productGrids(
      grid(a.patch, { label: "patch", inside: a.on_image, go }),
      grid(a.kernel, { label: "kernel" }),
      grid(a.products, { label: "products" }),
    ), a.products),
    rows([[count > 1 ? `sum of the ${count} products` : "the product", number(a.sum)]]),
    el("p", { className: "lead" }, `All ${a.channels.length} input maps, by what they add`),
    addendBars(a.channels, a.input_channel, source, a.total, page.pick),
    rows([
      [`sum over all ${a.channels.length} maps`, number(a.total)],
      ["+ bias", a.bias === null ? "none: the normalisation has one" : signed(a.bias)],
    ]),
    result("", a.value),
  ];
}

function parts(a, page, sign) {
  return [rows(a.parts.map((part, i) => [
    [i ? `${sign} ` : "", positionButton(page, part.step, part.position), ` (${BRANCHES[part.branch] ?? part.branch})`],
    number(part.value),
  ]))];
}

function check(a) {
  const again = a.difference === undefined ? "" : `Computed again in double precision: ${number(a.computed)}, ${differenceText(a.difference)}. `;
  const fused = a.fused === null ? "Predictions compute this layer together with the next and never store this number." : `Predictions use the fused network, which has ${number(a.fused)}: ${differenceText(a.fused_difference)}.`;
  return el("p", { className: "check" }, again, a.kind === "input" ? "" : fused);
}
