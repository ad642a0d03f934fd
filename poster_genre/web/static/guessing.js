// The game: the visitor guesses up to three genres before the answer is shown.
import { element } from "./element.js";

export const MOST_GUESSES = 3;

// The boxes of all genres; `changed` is called with the chosen ones.
export function guessBoxes(genres, changed) {
  const boxes = genres.map((genre) => element("input", { type: "checkbox", name: "guess", value: genre }));
  const update = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    for (const box of boxes) box.disabled = !box.checked && chosen.length >= MOST_GUESSES;
    changed(chosen);
  };
  for (const box of boxes) box.addEventListener("change", update);
  return boxes.map((box) => element("li", {}, element("label", {}, box, ` ${box.value}`)));
}

// How a guess compares: with the genres that an example was drawn as, or else with the network's first three.
export function verdict(guess, top, drawnAs) {
  const network = top.slice(0, 3).map(({ genre }) => genre);
  const truth = drawnAs ? drawnAs.split(" and ") : null;
  const right = (chosen, of) => chosen.filter((genre) => of.includes(genre)).length;
  if (truth) {
    const [you, it] = [right(guess, truth), right(network, truth)];
    const outcome = you > it ? "You were better." : you < it ? "The network was better." : "A draw.";
    return `Drawn as ${drawnAs}: you found ${you} of ${truth.length}, the network's first three have ${it}. ${outcome}`;
  }
  return `${right(guess, network)} of your ${guess.length} are among the network's first three: ${network.join(", ")}.`;
}
