// The row of one genre: its name, how it compares with the average poster, its value and its bar with a mark at the
// average. predict.html has the first three of them.
import { element } from "./element.js";
import { percent } from "./result_card.js";

export function genreRow() {
  const bar = element(
    "span",
    { className: "bar", ariaHidden: "true" },
    element("span", { className: "fill" }),
    element("span", { className: "average" }),
  );
  const button = element(
    "button",
    { type: "button", className: "genre", ariaPressed: "false" },
    element("span", { className: "name" }),
    element("span", { className: "than" }),
    element("span", { className: "value" }),
    bar,
  );
  return element("li", {}, button);
}

// Rows are reused, so that bars move and focus stays; without genres, placeholders ("ghosts") take their room.
// averages: the share of the training posters that have each genre, by name.
export function fillRows(list, genres, ghosts, averages) {
  const count = genres.length || ghosts;
  while (list.children.length > count) list.lastChild.remove();
  while (list.children.length < count) list.append(genreRow());
  [...list.children].forEach((item, i) => fillRow(item, genres[i], averages));
}

function fillRow(item, entry, averages) {
  const button = item.firstChild;
  const [name, than, value, bar] = button.children;
  const average = entry && averages[entry.genre];
  button.classList.toggle("ghost", !entry);
  button.disabled = !entry;
  button.dataset.genre = entry?.genre ?? "";
  name.textContent = entry?.genre ?? "No genre";
  than.textContent = average ? comparison(entry.probability, average) : "";
  value.textContent = entry ? percent(entry.probability) : "00 %";
  item.ariaHidden = entry ? null : "true";
  const [fill, mark] = bar.children;
  fill.style.transform = `translateX(${100 * ((entry?.probability ?? 0) - 1)}%)`;
  mark.hidden = !average;
  mark.style.left = `${100 * (average || 0)}%`;
}

// "2.4 times the average poster's 36 %"
export function comparison(probability, average) {
  const times = probability / average;
  if (times > 0.95 && times < 1.05) return `as the average poster's ${percent(average)}`;
  return `${times < 10 ? times.toFixed(1) : Math.round(times)} times the average poster's ${percent(average)}`;
}
