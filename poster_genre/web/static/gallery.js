// The cards of the gallery: a thumbnail and what was found.
import { percent } from "./card.js";
import { element } from "./element.js";

// A card whose button carries its entry; chosen(entry) is called when it is pressed.
export function galleryCard(chosen) {
  const thumb = element("img", { className: "thumb", alt: "", width: 72, height: 108 });
  thumb.addEventListener("error", () => {
    thumb.removeAttribute("src");
  });
  const button = element("button", { type: "button", className: "card" }, thumb, element("span", { className: "said" }));
  button.addEventListener("click", () => chosen(button.entry));
  return element("li", {}, button);
}

// What a card says of its entry, besides the name.
export function summary({ state, result, problem }) {
  if (state === "failed") return [element("span", { className: "bad", textContent: problem })];
  if (state !== "done") return [element("span", { textContent: "Reading …" })];
  return result.top.slice(0, 3).map(({ genre, probability }) =>
    element(
      "span",
      { className: "line" },
      element("span", { textContent: genre }),
      element("span", { textContent: percent(probability) }),
    ),
  );
}
