// The way back: how the gradient of a number was computed, one block for each gradient of the chain.
import { addingUp } from "./adding_up.js";
import { el } from "./elements.js";
import { explained } from "./glossary.js";
import { differenceText, number, term, whole } from "./numbers.js";
import { addendBars, channelName, chooseButton, formula, grid, positionButton, productBars, productGrids, result, rows } from "./widgets.js";

// gradient: one of the chain of GET .../gradients/{genre}/numbers/{step}; page: as for computationBlock.
export function gradientBlock(gradient, genre, page, focused) {
  const step = page.steps[gradient.step];
  return el(
    "section",
    { className: `computation${focused ? " focused" : ""}`, data: { step: String(gradient.step), kind: "gradient" } },
    el("div", { className: "computation-head" }, el("h3", {}, ...explained(`Gradient at ${step.title}`)), chooseButton(gradient, page, focused)),
    ...(gradient.terms.length ? [] : [start(gradient, genre)]),
    ...gradient.terms.flatMap((each) => [
      el("p", { className: "lead" }, `Passed back by “${page.steps[each.reader].title}”`),
      ...WRITERS[each.kind](each, page, page.steps[each.reader], gradient.position),
    ]),
    ...(gradient.terms.length > 1 ? [rows(gradient.terms.map((each) => [page.steps[each.reader].title, number(each.computed)]))] : []),
    result(gradient.terms.length > 1 ? "sum of what all readers pass back" : "", gradient.value),
    el("p", { className: "check" }, `The library's own backward pass. Computed again in double precision: ${number(gradient.computed)}, ${differenceText(gradient.difference)}.`),
  );
}

function start({ value }, genre) {
  return el("p", {}, value === 1
    ? `This is the score of ${genre} itself. It changes by 1 when it changes by 1: the way back starts here.`
    : `The score of ${genre} does not depend on the score of another genre.`);
}

const WRITERS = {
  convolution(a, page, reader) {
    const cells = a.at.flat().filter((at) => at !== null).length;
    const go = (p, q) => page.go(reader.step, [...a.at[p][q], a.output_channel]);
    const outside = a.at.flat().length - cells;
    return [
      formula("sum over the outputs that read it of their gradient × the weight in between"),
      el("p", { className: "soft" }, `${cells} windows of output ${channelName(reader, a.output_channel)} contain this number; on them the kernel lies turned by 180°.${outside ? ` In ${outside} cells there is no window.` : ""}`),
      ...addingUp(productGrids(
        grid(a.upstream, { label: "gradient above", inside: a.at.map((line) => line.map((at) => at !== null)), go, off: "no window there: counts 0" }),
        grid(a.kernel, { label: "turned kernel" }),
        grid(a.products, { label: "products" }),
      ), a.products),
      rows([["sum of the products", number(a.sum)]]),
      el("p", { className: "lead" }, `All ${a.channels.length} output maps, by what they pass back`),
      addendBars(a.channels, a.output_channel, reader, a.computed, page.pick),
      rows([[`sum over all ${a.channels.length} maps`, number(a.computed)]]),
    ];
  },
  dense: (a, page, reader) => [
    formula("sum over the outputs of their gradient × weight"),
    productBars(a, (unit) => page.go(reader.step, [0, 0, unit])),
    rows([
      ...(a.units > a.up.length + a.down.length ? [[`the other ${whole(a.units - a.up.length - a.down.length)} outputs together`, number(a.rest)]] : []),
      [`all ${whole(a.units)} outputs`, number(a.computed)],
    ]),
  ],
  normalisation: (a, page, reader, position) => [
    formula("gradient above × weight ÷ √(variance + ε)"),
    rows([
      [["gradient above, of ", positionButton(page, reader.step, position)], number(a.upstream)],
      [`× weight ${term(a.gamma)}`, number(a.upstream * a.gamma)],
      [`÷ √(${number(a.variance)} + ${number(a.eps)}) = ${number(a.deviation)}`, number(a.computed)],
    ]),
  ],
  activation: (a, page, reader, position) => [
    formula("gradient above × slope of the function"),
    rows([
      [["gradient above, of ", positionButton(page, reader.step, position)], number(a.upstream)],
      [`× slope of ${a.function} at ${number(a.x)}`, number(a.slope)],
    ]),
    ...(a.function === "ReLU" ? [el("p", { className: "soft" }, a.slope ? "The number is positive: ReLU lets the gradient through." : "The number is not positive: ReLU lets nothing through.")] : []),
  ],
  "max pooling": (a, page, reader, position) => [
    formula("the gradients of the windows whose largest number it is"),
    rows(a.windows.map(([[row, column], value, wins]) => [
      [positionButton(page, reader.step, [row, column, position[2]]), wins ? ": it is the largest" : ": another is larger, so 0 of"],
      number(value),
    ])),
  ],
  "average pooling": (a, page, reader, position) => [
    formula("gradient of each window that contains it ÷ number of its pixels"),
    rows(a.windows.map(([[row, column], value, count]) => [
      [positionButton(page, reader.step, [row, column, position[2]]), `: ${number(value)} ÷ ${count}`],
      number(value / count),
    ])),
  ],
  "global average": (a, page, reader) => [
    formula("gradient of the average ÷ number of pixels"),
    rows([[[positionButton(page, reader.step, a.position), `: ${number(a.upstream)} ÷ ${whole(a.count)}`], number(a.computed)]]),
  ],
  "global maximum": (a, page, reader) => [
    formula("the gradient of the maximum, for the largest number alone"),
    rows([[[positionButton(page, reader.step, a.position), a.wins ? ": it is the largest" : ": another is larger, so 0 of"], number(a.upstream)]]),
  ],
  sum: (a, page, reader) => copied("A sum passes its gradient to each of its addends unchanged.", a, page, reader),
  concatenation: (a, page, reader) => copied("The number was copied, so its gradient is that of the copy.", a, page, reader),
  flatten: (a, page, reader) => copied("The number was copied, so its gradient is that of the copy.", a, page, reader),
  dropout: (a, page, reader) => copied("In prediction dropout changes nothing.", a, page, reader),
  product: (a) => [
    formula("gradient above × the other factor"),
    a.count === 1
      ? rows([["gradient above", number(a.upstream)], ["× other factor", number(a.factor)]])
      : el("p", { className: "soft" }, `It was multiplied with ${whole(a.count)} numbers: the sum of their gradients × the other factors.`),
  ],
};

function copied(text, a, page, reader) {
  return [
    el("p", { className: "soft" }, text),
    rows([[["gradient of ", positionButton(page, reader.step, a.position)], number(a.upstream)]]),
  ];
}
