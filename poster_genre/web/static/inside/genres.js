// The last layer: which features pushed a genre up or down, and the way from its score to the answer.
import { apart, el, number, signed, term } from "./write.js";

const LISTED = 10;

export function percent(p) {
  return `${(100 * p).toFixed(1)} %`;
}

// found: what /genres/{genre} answers; answer: that genre's row of the visit; thumbnail(step, channel): a canvas.
export function genreBlocks(found, answer, here, thumbnail) {
  const up = found.features.filter(({ product }) => product > 0).slice(0, LISTED);
  const down = found.features.filter(({ product }) => product < 0).slice(-LISTED).reverse();
  const listed = [...up, ...down].reduce((sum, { product }) => sum + product, 0);
  const strongest = Math.max(...[...up, ...down].map(({ product }) => Math.abs(product)), 1e-12);
  const list = (title, features) => [
    el("p", { className: "lead" }, title),
    el("ul", { className: "bars pushed" }, ...features.map((each) => pushed(each, strongest, here, thumbnail))),
  ];
  const rest = found.features.length - up.length - down.length;
  return [
    el(
      "section",
      { className: "account focused", data: { kind: "genre", genre: found.genre } },
      el("div", { className: "account-head" }, el("h3", {}, `The score of ${found.genre}`)),
      el("p", { className: "formula" }, "sum of feature × weight, + bias"),
      ...list(`Up: what speaks for ${found.genre}`, up),
      ...list(`Down: what speaks against ${found.genre}`, down),
      rows([
        [`the other ${rest} features together`, signed(found.total - listed)],
        ["+ bias, the score of a blank network", signed(found.bias)],
      ]),
      el("p", { className: "result" }, "= ", el("strong", {}, number(found.log_odds))),
      el("p", { className: "check" }, `The sum over again in double precision: ${number(found.computed)}, ${apart(found.difference)}.`),
    ),
    journey(answer, found),
  ];
}

function pushed({ feature, x, weight, product, origin }, strongest, here, thumbnail) {
  const bar = el("span", { className: "fill", "aria-hidden": "true" });
  bar.classList.toggle("minus", product < 0);
  bar.style.width = `${(50 * Math.abs(product)) / strongest}%`;
  const from = here.steps[origin.step];
  const named = origin.how === "unit" ? `number ${origin.channel}` : `${origin.how} of map ${origin.channel}`;
  return el("li", {}, el(
    "button",
    { type: "button", data: { feature: String(feature) }, onclick: () => here.visit(origin) },
    from.image ? thumbnail(origin.step, origin.channel) : null,
    el("span", { className: "name" }, named, from.network ? el("small", {}, from.network) : null, el("small", {}, `${number(x)} × ${term(weight)}`)),
    el("span", { className: "axis" }, bar),
    el("span", { className: "value" }, signed(product)),
  ));
}

function journey(a, found) {
  const two = a.mirrored_p !== null;
  const lines = [[`probability, 1 ÷ (1 + e^−score) of ${number(a.log_odds)}`, number(a.p)]];
  if (two) {
    lines.push([`the same for the mirror image, score ${number(a.mirrored_log_odds)}`, number(a.mirrored_p)]);
    lines.push(["mean of the two", number(a.mean)]);
  }
  if (a.slope !== null) {
    lines.push(["its log-odds", number(a.log_odds_of_mean)]);
    lines.push([`calibrated: × ${number(a.slope)} + ${term(a.offset)}`, number(a.slope * a.log_odds_of_mean + a.offset)]);
  }
  return el(
    "section",
    { className: "account", data: { kind: "answer" } },
    el("div", { className: "account-head" }, el("h3", {}, "From the score to the answer")),
    rows(lines),
    el("p", { className: "result" }, "= ", el("strong", {}, percent(a.probability)), ` ${found.genre}`),
    el("p", { className: "check" }, `The predict page answers ${number(a.answer)}, at full speed, ${apart(a.answer_difference)}.`),
  );
}

function rows(pairs) {
  return el("dl", { className: "rows" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
