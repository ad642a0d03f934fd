// The last layer: the contribution of every feature to a genre, and how its score becomes the prediction.
import { el } from "./elements.js";
import { waterfall } from "./waterfall.js";
import { differenceText, number, signed, term } from "./numbers.js";

const LISTED = 10;

export function percent(p) {
  return `${(100 * p).toFixed(1)} %`;
}

// contributions: the response of /genres/{genre}; prediction: of that genre, from the session; page: as for
// computationBlock; thumbnail(step, channel): a canvas.
export function genreBlocks(contributions, prediction, page, thumbnail) {
  const up = contributions.features.filter(({ product }) => product > 0).slice(0, LISTED);
  const down = contributions.features.filter(({ product }) => product < 0).slice(-LISTED).reverse();
  const strongest = Math.max(...[...up, ...down].map(({ product }) => Math.abs(product)), 1e-12);
  const list = (title, features) => [
    el("p", { className: "lead" }, title),
    el("ul", { className: "bars contributions" }, ...features.map((each) => contributionRow(each, strongest, page, thumbnail))),
  ];
  return [
    el(
      "section",
      { className: "computation focused", data: { kind: "genre", genre: contributions.genre } },
      el("div", { className: "computation-head" }, el("h3", {}, `The score of ${contributions.genre}`)),
      el("p", { className: "formula" }, "sum of feature × weight, + bias"),
      ...waterfall(contributions.features, [...up, ...down], contributions.bias),
      ...list(`Features that raise the score of ${contributions.genre}`, up),
      ...list(`Features that lower the score of ${contributions.genre}`, down),
      el("p", { className: "result" }, "= ", el("strong", {}, number(contributions.log_odds))),
      el("p", { className: "check" }, `The same sum in double precision: ${number(contributions.computed)}, ${differenceText(contributions.difference)}.`),
    ),
    fromScoreToPrediction(prediction, contributions),
  ];
}

function contributionRow({ feature, x, weight, product, origin }, strongest, page, thumbnail) {
  const bar = el("span", { className: "fill", "aria-hidden": "true" });
  bar.classList.toggle("minus", product < 0);
  bar.style.width = `${(50 * Math.abs(product)) / strongest}%`;
  const from = page.steps[origin.step];
  const named = origin.how === "unit" ? `number ${origin.channel}` : `${origin.how} of map ${origin.channel}`;
  return el("li", {}, el(
    "button",
    { type: "button", data: { feature: String(feature) }, onclick: () => page.goToOrigin(origin) },
    from.image ? thumbnail(origin.step, origin.channel) : null,
    el("span", { className: "name" }, named, from.network ? el("small", {}, from.network) : null, el("small", {}, `${number(x)} × ${term(weight)}`)),
    el("span", { className: "axis" }, bar),
    el("span", { className: "value" }, signed(product)),
  ));
}

function fromScoreToPrediction(a, contributions) {
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
    { className: "computation", data: { kind: "prediction" } },
    el("div", { className: "computation-head" }, el("h3", {}, "From the score to the prediction")),
    rows(lines),
    el("p", { className: "result" }, "= ", el("strong", {}, percent(a.probability)), ` ${contributions.genre}`),
    el("p", { className: "check" }, `The prediction by the fused network is ${number(a.predicted)}, ${differenceText(a.difference)}.`),
  );
}

function rows(pairs) {
  return el("dl", { className: "rows" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
