// A result in words, to copy or to share: a phrase and the address of the page.
import { comparison } from "./genre_row.js";
import { percent } from "./result_card.js";

export const pageAddress = () => new URL(".", location.href).href;

// "This poster looks like Comedy (86 %, 2.1 times the average poster's 40 %), then Romance (84 %) and Drama (58 %)."
export function phrase({ top, sure, unlike_posters: unlike }, averages) {
  const [first, second, third] = top;
  const average = averages[first.genre];
  const details = [percent(first.probability), average && comparison(first.probability, average)].filter(Boolean);
  const others = [second, third].map(({ genre, probability }) => `${genre} (${percent(probability)})`).join(" and ");
  const doubt = unlike ? " It may not be a poster at all." : sure === false ? " The network is not sure." : "";
  return `This poster looks like ${first.genre} (${details.join(", ")}), then ${others}.${doubt}`;
}

// The button copies text() to the clipboard, and says so for two seconds. Where the clipboard is refused, `field` shows
// the text, selected.
export function copyOnClick(button, text, field, selected = "Selected") {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const copied = text();
    try {
      await navigator.clipboard.writeText(copied);
      button.textContent = "Copied";
    } catch {
      field.textContent = copied;
      field.hidden = false;
      getSelection().selectAllChildren(field);
      button.textContent = selected;
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
}

// Whether the system has a dialogue for sharing pictures.
export function canShare() {
  const file = new File([], "poster-genres.png", { type: "image/png" });
  return Boolean(navigator.canShare?.({ files: [file] }));
}

export async function shareResult(text, card) {
  const file = new File([card], "poster-genres.png", { type: "image/png" });
  try {
    await navigator.share({ files: [file], text, url: pageAddress() });
  } catch (error) {
    if (error.name !== "AbortError") throw error; // the visitor changed their mind
  }
}
