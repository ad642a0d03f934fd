// The products of a window add up, one after the other: on hover or on demand.
import { el } from "./elements.js";
import { number, term } from "./numbers.js";

const SECONDS_A_CELL = 0.35;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// grids: tables of one size side by side; products: the numbers of the last. Returns the grids and a line below them.
// Moving over the products shows the sum as far as the cell under the pointer; the button lets it run by itself, or,
// where the system asks for less motion, one cell with every press.
export function addingUp(grids, products) {
  const count = products.flat().length;
  if (count < 2) return [grids];
  const tables = [...grids.querySelectorAll("table")];
  const cells = tables.map((table) => [...table.querySelectorAll("td")]);
  const line = el("output", { className: "adding" });
  const button = el("button", { type: "button", className: "plain tiny", onclick: start }, "Add them up");
  let timer = 0;
  let at = -1;

  function show(index) {
    at = index;
    cells.forEach((each) => each.forEach((cell, i) => {
      cell.classList.toggle("adding-now", i === index);
      cell.classList.toggle("added", i < index);
    }));
    const sums = products.flat();
    const total = sums.slice(0, index + 1).reduce((a, b) => a + b, 0);
    line.textContent = index < 0 ? "" : index === 0 ? `${number(sums[0])}` : `${number(total - sums[index])} + ${term(sums[index])} = ${number(total)}, after ${index + 1} of ${count}`;
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
  }

  function start() {
    if (still.matches) {
      show(at + 1 < count ? at + 1 : 0);
      return;
    }
    stop();
    show(0);
    timer = setInterval(() => {
      if (!line.isConnected || at + 1 >= count) stop();
      else show(at + 1);
    }, SECONDS_A_CELL * 1000);
  }

  cells[cells.length - 1].forEach((cell, i) => cell.addEventListener("pointerenter", () => {
    stop();
    show(i);
  }));
  grids.addEventListener("pointerleave", () => {
    if (!timer) show(-1);
  });
  return [grids, el("p", { className: "adding-line" }, button, line)];
}
