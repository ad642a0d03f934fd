// The cards of the gallery: a thumbnail and the genres.
import { percent } from "./result_card.js";
import { element } from "./element.js";

// One card for each entry. chosen(entry) is called when a card is pressed.
export function renderGallery(entries, current, chosen) {
  document.getElementById("gallery").hidden = entries.length < 2;
  const shelf = document.getElementById("shelf");
  while (shelf.children.length > entries.length) shelf.lastChild.remove();
  entries.forEach((entry, i) => {
    if (!shelf.children[i]) shelf.append(galleryCard(chosen));
    const button = shelf.children[i].firstChild;
    button.entry = entry;
    button.ariaCurrent = String(entry === current);
    const [thumb, text] = button.children;
    if (thumb.dataset.url !== entry.url) {
      thumb.dataset.url = entry.url;
      thumb.src = entry.url;
    }
    text.replaceChildren(element("span", { className: "file", textContent: entry.name }), ...summary(entry));
  });
}

// A card whose button carries its entry; chosen(entry) is called when it is pressed.
function galleryCard(chosen) {
  const thumb = element("img", { className: "thumb", alt: "", width: 72, height: 108 });
  thumb.addEventListener("error", () => {
    thumb.removeAttribute("src");
  });
  const button = element("button", { type: "button", className: "card" }, thumb, element("span", { className: "summary" }));
  button.addEventListener("click", () => chosen(button.entry));
  return element("li", {}, button);
}

// A card's text besides the name: the genres, or the problem.
function summary({ state, result, problem }) {
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
