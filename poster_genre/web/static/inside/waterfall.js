// A genre's score as a waterfall: from the bias, up and down, to the sum.
import { el } from "./elements.js";
import { number, signed } from "./numbers.js";

// features: [{ product }]; listed: those that the page shows one by one.
export function waterfall(features, listed, bias) {
  const shown = new Set(listed);
  const part = (test) => summary(features.filter((each) => test(each.product) && !shown.has(each)));
  const [up, down] = [summary(listed.filter(({ product }) => product > 0)), summary(listed.filter(({ product }) => product < 0))];
  const [smallUp, smallDown] = [part((product) => product > 0), part((product) => product < 0)];
  const pushes = [
    ["bias", bias],
    [`${up.count} strongest upwards`, up.sum],
    [`${smallUp.count} smaller upwards`, smallUp.sum],
    [`${down.count} strongest downwards`, down.sum],
    [`${smallDown.count} smaller downwards`, smallDown.sum],
  ].filter(([, value]) => value !== 0);
  const ends = pushes.reduce((sums, [, value]) => [...sums, sums.at(-1) + value], [0]);
  const rows = pushes.map(([name, value], i) => ({ name, from: ends[i], to: ends[i + 1], text: signed(value) }));
  rows.push({ name: "score", from: 0, to: ends.at(-1), text: number(ends.at(-1)), total: true });
  const low = Math.min(...ends);
  const scale = 100 / (Math.max(...ends) - low || 1);
  return [
    el("p", { className: "lead" }, sentence(summary(listed), smallUp, smallDown)),
    el("ol", { className: "waterfall" }, ...rows.map((row) => bar(row, low, scale))),
  ];
}

function summary(features) {
  const products = features.map(({ product }) => product);
  return { count: products.length, sum: products.reduce((a, b) => a + b, 0), largest: Math.max(0, ...products.map(Math.abs)) };
}

function sentence(listed, up, down) {
  const rest = up.sum + down.sum;
  const others = `the other ${up.count + down.count} that are not 0, none above ${number(Math.max(up.largest, down.largest))}, together ${signed(rest)}`;
  const listing = `The ${listed.count} strongest features add ${signed(listed.sum)}`;
  const many = Math.abs(rest) > Math.abs(listed.sum) ? "Many small pushes decide. " : "";
  return `${many}${listing}; ${others}.`;
}

function bar({ name, from, to, text, total }, low, scale) {
  const fill = el("span", { className: "fill", "aria-hidden": "true" });
  fill.classList.toggle("minus", to < from);
  fill.classList.toggle("total", Boolean(total));
  fill.style.left = `${(Math.min(from, to) - low) * scale}%`;
  fill.style.width = `${Math.abs(to - from) * scale}%`;
  return el("li", {}, el("span", { className: "name" }, name), el("span", { className: "track" }, fill), el("span", { className: "value" }, text));
}
