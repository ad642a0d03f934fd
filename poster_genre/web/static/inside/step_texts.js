// Sizes and titles of steps, as text.
import { whole } from "./numbers.js";

export function sizeText({ height, width, channels, image }) {
  return image ? `${width} × ${height} × ${channels}` : whole(channels);
}

// A part's title without the network that it belongs to: "Residual block 1".
export function shortTitle(title) {
  const [, last] = /^(?:Network \d+: )?(.*)$/.exec(title);
  return last[0].toUpperCase() + last.slice(1);
}
