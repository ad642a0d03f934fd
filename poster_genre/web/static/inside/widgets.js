// What the blocks of the number panel are built from.
import { el, tint } from "./elements.js";
import { commonPower, narrow, number, signed } from "./numbers.js";

const LISTED = 8;

export function channelName(source, channel) {
  if (source.step === 0) return ["red", "green", "blue"][channel];
  return source.image ? `map ${channel}` : `number ${channel}`;
}

// A button that chooses the number at a position of a step; page: as for computationBlock.
export function positionButton(page, index, [row, column, channel]) {
  const step = page.steps[index];
  const where = step.image ? `row ${row}, column ${column}, ${channelName(step, channel)}` : `number ${channel}`;
  const whose = step.network ? `${step.network}, ` : "";
  return el("button", { type: "button", className: "plain tiny", onclick: () => page.go(index, [row, column, channel]) }, `${whose}${step.title}, ${where}`);
}

// Beside the title of a block: a button that chooses its number, or that it is the chosen one.
export function chooseButton({ step, position }, page, chosen) {
  if (chosen) return el("span", { className: "badge" }, "chosen");
  return el("button", { type: "button", className: "plain tiny", onclick: () => page.go(step, position) }, "Choose");
}

export function formula(text) {
  return el("p", { className: "formula" }, text);
}

export function rows(pairs) {
  return el("dl", { className: "rows" }, ...pairs.map(([name, value]) =>
    el("div", {}, el("dt", {}, ...(Array.isArray(name) ? name : [name])), el("dd", {}, value))));
}

export function result(text, value) {
  return el("p", { className: "result" }, text ? `${text} = ` : "= ", el("strong", {}, number(value)));
}

// A table of a window's numbers. inside: which of them count; winner: [row, column] of the largest;
// go(row, column): what a click on a number does.
export function grid(values, { label, inside, winner, go, off = "off the edge: counts 0" }) {
  const scale = Math.max(...values.flat().map(Math.abs), 1e-12);
  const power = commonPower(values.flat());
  const text = (x) => narrow(x / 10 ** power);
  const body = el("tbody", {}, ...values.map((line, p) => el("tr", {}, ...line.map((x, q) => {
    const outside = inside && !inside[p][q];
    const cell = el("td", {});
    if (outside) {
      cell.className = "off";
      cell.append(el("span", { title: off }, "0"));
    } else if (go) {
      cell.append(el("button", { type: "button", title: "Choose this number", onclick: () => go(p, q) }, text(x)));
    } else {
      cell.append(text(x));
    }
    if (!outside) tint(cell, x, scale);
    if (winner && winner[0] === p && winner[1] === q) cell.classList.add("winner");
    return cell;
  }))));
  return el("table", { className: "grid" }, el("caption", {}, power ? `${label}, × 1e${power}`.replace("-", "−") : label), body);
}

// factor × factor = product, cell by cell.
export function productGrids(left, right, products) {
  const sign = (text) => el("span", { className: "sign", "aria-hidden": "true" }, text);
  return el("div", { className: "grids" }, left, sign("×"), right, sign("="), products);
}

// The largest of many addends as bars about 0, and the others as one.
// addends: [[channel, value], ...], the largest first; listed: the channel whose cells are shown above.
export function addendBars(addends, listed, source, total, pick) {
  const strongest = Math.abs(addends[0][1]) || 1;
  const shown = addends.slice(0, LISTED);
  if (!shown.some(([channel]) => channel === listed)) shown.push(addends.find(([channel]) => channel === listed));
  const list = el("ul", { className: "bars" }, ...shown.map(([channel, value]) =>
    bar(channelName(source, channel), value, strongest, { "aria-pressed": String(channel === listed), onclick: () => pick(channel) })));
  const rest = addends.length - shown.length;
  if (rest > 0) {
    const left = total - shown.reduce((whole, [, value]) => whole + value, 0);
    list.append(el("li", { className: "others" }, el("span", {}, `the other ${rest}`), el("span", { className: "value" }, signed(left))));
  }
  return list;
}

// The strongest products of a dense layer: [[index, x, weight, product], ...] upwards and downwards.
export function productBars({ up, down }, go) {
  const strongest = Math.max(...[...up, ...down].map(([, , , product]) => Math.abs(product)), 1e-12);
  return el("ul", { className: "bars" }, ...[...up.slice(0, LISTED), ...down.slice(0, LISTED)].map(([index, x, weight, product]) =>
    bar(`number ${index}`, product, strongest, { title: `${number(x)} × ${number(weight)}`, onclick: () => go(index) })));
}

function bar(name, value, strongest, properties) {
  const fill = el("span", { className: "fill", "aria-hidden": "true" });
  fill.classList.toggle("minus", value < 0);
  fill.style.width = `${(50 * Math.abs(value)) / strongest}%`;
  return el("li", {}, el(
    "button",
    { type: "button", ...properties },
    el("span", { className: "name" }, name),
    el("span", { className: "axis" }, fill),
    el("span", { className: "value" }, signed(value)),
  ));
}
