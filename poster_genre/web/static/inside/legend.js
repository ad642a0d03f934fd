// The colour legend of one map: its own scale, and how many of its numbers lie beyond it.
import { endOfScale } from "./numbers.js";

const STRONGEST = ["8,46,104", "116,44,0", "178,218,255", "255,228,168"]; // red, green, blue of both ends, light and dark

// scale: the number that the strongest colour stands for. Larger ones have the same colour, which the text says.
export function writeLegend(tones, clipped, map, scale) {
  const [low, , high] = tones.children;
  low.textContent = `≤ ${endOfScale(-scale)}`;
  high.textContent = `≥ ${endOfScale(scale)}`;
  const share = map ? clippedShare(map) : 0;
  clipped.textContent = share >= 0.01 ? `${Math.round(100 * share)} % at an end of the scale` : "";
}

// The share of a map's pixels that have the colour of an end of the scale.
export function clippedShare(map) {
  const canvas = document.createElement("canvas");
  canvas.width = map.naturalWidth ?? map.width;
  canvas.height = map.naturalHeight ?? map.height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(map, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += STRONGEST.includes(`${data[i]},${data[i + 1]},${data[i + 2]}`);
  return count / (data.length / 4);
}
