// Heat maps as colours: dark and transparent where there is little evidence for the genre, bright where there is much.
const STOPS = [
  [38, 38, 58],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

export function colour(value) {
  const position = Math.min(Math.max(value, 0), 1) * (STOPS.length - 1);
  const low = Math.min(Math.floor(position), STOPS.length - 2);
  return STOPS[low].map((channel, i) => Math.round(channel + (position - low) * (STOPS[low + 1][i] - channel)));
}

// Draw map.heat (rows of 0..1) at its own size; the page stretches the canvas over the poster.
export function drawHeatMap(canvas, map) {
  canvas.width = map.width;
  canvas.height = map.height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(map.width, map.height);
  map.heat.flat().forEach((value, i) => {
    const [red, green, blue] = colour(value);
    picture.data.set([red, green, blue, 255 * (0.2 + 0.65 * Math.sqrt(value))], 4 * i);
  });
  context.putImageData(picture, 0, 0);
}
