// The result as a picture to save: the poster, its heat map if one is shown, and three bars.
const WIDTH = 1200;
const HEIGHT = 800;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif';

export function resultCard(poster, heat, result, { about, shownGenre }) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const role = (name) => style.getPropertyValue(`--${name}`).trim();
  context.fillStyle = role("ground");
  context.fillRect(0, 0, WIDTH, HEIGHT);

  const box = fit(poster.naturalWidth / poster.naturalHeight, 60, 60, 454, 680);
  context.save();
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 14);
  context.clip();
  if (heat) context.filter = "grayscale(0.7) brightness(0.8)";
  context.drawImage(poster, box.x, box.y, box.width, box.height);
  context.filter = "none";
  if (heat) context.drawImage(heat, box.x, box.y, box.width, box.height);
  context.restore();

  const left = 574;
  const wide = WIDTH - left - 60;
  text(context, "Genres of this poster", left, 110, `700 44px ${FONT}`, role("ink"));
  const doubt = result.unlike_posters ? "This may not be a poster." : result.sure === false ? "The model is not sure." : "";
  text(context, doubt, left, 156, `400 26px ${FONT}`, role("doubt"));
  result.top.slice(0, 3).forEach(({ genre, probability }, i) => {
    const y = 250 + 135 * i;
    text(context, genre, left, y, `600 36px ${FONT}`, role("ink"));
    context.textAlign = "right";
    text(context, percent(probability), left + wide, y, `400 34px ${FONT}`, role("soft"));
    context.textAlign = "left";
    bar(context, left, y + 20, wide, role("sunk"));
    bar(context, left, y + 20, Math.max(wide * probability, 22), role(genre === shownGenre ? "warm" : "accent"));
  });
  const map = shownGenre && heat ? `Bright: where ${shownGenre} shows` : "";
  text(context, map, left, 680, `400 24px ${FONT}`, role("soft"));
  text(context, `${location.host}, ${about}`, left, 730, `400 24px ${FONT}`, role("soft"));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function percent(p) {
  if (p > 0 && p < 0.005) return "< 1 %";
  if (p < 1 && p >= 0.995) return "> 99 %";
  return `${Math.round(100 * p)} %`;
}

function fit(ratio, x, y, width, height) {
  const w = Math.min(width, height * ratio);
  const h = w / ratio;
  return { x: x + (width - w) / 2, y: y + (height - h) / 2, width: w, height: h };
}

function text(context, string, x, y, font, colour) {
  context.font = font;
  context.fillStyle = colour;
  context.fillText(string, x, y);
}

function bar(context, x, y, width, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, width, 22, 11);
  context.fill();
}
