// Words that are explained where they stand: on hover, on focus and on touch.
import { el } from "./elements.js";

const MEANINGS = {
  "receptive field": "The part of the poster that a number was computed from.",
  residual: "A block whose result is added to its own input, so that it only has to compute a change.",
  shortcut: "The way past a residual block: the input itself, or one 1 × 1 convolution of it.",
  "log-odds": "log(p ÷ (1 − p)): 0 for a probability of one half, above 0 for more, below 0 for less.",
  normalisation: "Each map shifted and scaled to mean 0 and deviation 1, as measured over the training posters.",
  convolution: "A small table of weights (a filter) slides over the picture; at each place products are summed.",
  filters: "The tables of weights of a convolution: one for each map that it makes.",
  relu: "Negative numbers become 0, positive ones stay: max(0, x).",
  pooling: "Several neighbouring numbers become one: their largest, or their mean.",
  dropout: "In training some numbers are set to 0 at random, so that none becomes indispensable.",
  gradient: "How much the score would change, per unit, if this number changed a little.",
  calibrated: "Adjusted on posters that were not trained on, so that of 100 answers of 70 % about 70 are right.",
  bias: "A learned constant that is added to a sum.",
};

const words = new RegExp(`\\b(${Object.keys(MEANINGS).join("|")})\\b`, "i");
let counted = 0;

// A text as nodes; the first word of it that the glossary has can be asked for its meaning.
export function explained(text) {
  const found = words.exec(text);
  if (!found) return [text];
  const end = found.index + found[0].length;
  return [text.slice(0, found.index), glossaryWord(found[0]), text.slice(end)].filter((part) => part !== "");
}

function glossaryWord(word) {
  const id = `meaning-${(counted += 1)}`;
  const meaning = el("span", { className: "meaning", role: "tooltip", id, hidden: true }, MEANINGS[word.toLowerCase()]);
  const button = el("button", { type: "button", className: "glossary", "aria-describedby": id }, word);
  const show = (shown) => {
    meaning.hidden = !shown;
    if (shown) place(meaning, button);
  };
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    show(true);
  });
  button.addEventListener("focus", () => show(true));
  button.addEventListener("blur", () => show(false));
  button.addEventListener("keydown", ({ key }) => key === "Escape" && show(false));
  const holder = el("span", { className: "glossary-holder" }, button, meaning);
  holder.addEventListener("pointerenter", () => show(true));
  holder.addEventListener("pointerleave", () => document.activeElement !== button && show(false));
  return holder;
}

// Below the word, within the window.
function place(meaning, button) {
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = meaning;
  const below = box.bottom + height + 8 < innerHeight;
  meaning.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  meaning.style.top = `${below ? box.bottom : box.top - height}px`;
}
