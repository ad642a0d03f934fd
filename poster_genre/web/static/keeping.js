// What a visitor takes along: the result as a picture, as JSON, as text, and the system's dialogue for sharing.
import { element } from "./element.js";
import { resultCard } from "./result_card.js";
import { canShare, copyOnClick, pageAddress, phrase, shareResult } from "./sharing.js";

const $ = (id) => document.getElementById(id);
let version = "";

// current() and entries(): the entry that is shown, and all; averages: as for fillRows.
export function wireKeeping({ current, entries, averages }) {
  $("save-card").addEventListener("click", async () => save(await card(current()), "poster-genres.png"));
  $("save-json").addEventListener("click", () => saveJson(entries()));
  $("share").hidden = !canShare();
  $("share").addEventListener("click", async () => shareResult(phrase(current().result, averages), await card(current())));
  copyOnClick($("copy-result"), () => `${phrase(current().result, averages)} ${pageAddress()}`, $("result-text"), "Selected below");
}

async function card(entry) {
  version ||= (await (await fetch("api/v1/model")).json()).version;
  const heat = $("heat").hidden ? null : $("heat");
  const shownGenre = heat ? entry.genre : null;
  return resultCard($("poster"), heat, entry.result, { about: version, shownGenre });
}

function saveJson(entries) {
  const results = entries
    .filter(({ state }) => state === "done")
    .map(({ name, result }) => ({ ...result, file: name, top: result.top.slice(0, 3) }));
  save(new Blob([JSON.stringify({ results }, null, 2)], { type: "application/json" }), "poster-genres.json");
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
