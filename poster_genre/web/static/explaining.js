// Where on the poster a genre shows: the heat map of the entry that is shown.
import { RequestFailed, explain } from "./api.js";
import { drawHeatMap } from "./heat_map.js";

const METHODS = {
  "grad-cam": "Takes a moment: shows which regions of the last feature maps raise the genre's score (Grad-CAM).",
  occlusion: "Takes a few seconds: covers the poster piece by piece, and measures how far the genre falls (occlusion).",
};
const BRIGHT = { "grad-cam": "raises the score of", occlusion: "lowers, when it is covered, the probability of" };

const $ = (id) => document.getElementById(id);

let explaining = null; // the AbortController of the heat map that is being computed

export function stopExplaining() {
  explaining?.abort();
  explaining = null;
  $("progress").classList.remove("busy");
}

// Draws the map of the entry's genre, or has it computed.
export function showMap(entry) {
  const method = document.querySelector('input[name="method"]:checked').value;
  for (const button of document.querySelectorAll(".genre")) {
    button.ariaPressed = String(Boolean(entry.genre) && button.dataset.genre === entry.genre);
  }
  const map = entry.genre && entry.maps.get(`${method} ${entry.genre}`);
  $("hide").hidden = !entry.genre;
  $("method-text").textContent = METHODS[method];
  $("scale").hidden = !map;
  $("heat").hidden = !map;
  $("frame").classList.toggle("mapped", Boolean(map));
  if (map) {
    drawHeatMap($("heat"), map);
    const bright = `Bright: what ${BRIGHT[method]} ${map.genre}.`;
    $("why-text").textContent = map.strength > 0 ? bright : `Nothing on this poster ${BRIGHT[method]} ${map.genre}.`;
  } else if (entry.genre) {
    explainGenre(entry, entry.genre, method);
  } else {
    $("why-text").textContent = "Choose a genre to see where on the poster it shows.";
  }
}

async function explainGenre(entry, genre, method) {
  const mine = new AbortController();
  explaining = mine;
  const progress = $("progress");
  progress.value = 0;
  progress.classList.toggle("busy", method === "occlusion");
  $("why-text").textContent = `Looking for ${genre} …`;
  try {
    const step = (done, of) => {
      if (explaining === mine) progress.value = done / of;
    };
    entry.maps.set(`${method} ${genre}`, await explain(entry.blob, genre, method, step, mine.signal));
    if (explaining === mine) {
      stopExplaining();
      showMap(entry);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof RequestFailed)) throw error;
    if (explaining === mine) {
      stopExplaining();
      $("why-text").textContent = error.message;
    }
  }
}
