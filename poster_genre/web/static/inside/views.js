// A picture with frames on it, as large as its box.

// source: an image to draw; frames: [{ top, left, bottom, right, kind }] in the picture's own pixels.
export function drawView(canvas, source, height, width, frames) {
  const box = canvas.parentElement.getBoundingClientRect();
  const dense = Math.min(devicePixelRatio || 1, 3);
  const by = Math.min(box.width / width, box.height / height);
  const shown = { width: Math.max(1, Math.floor(width * by)), height: Math.max(1, Math.floor(height * by)) };
  canvas.style.width = `${shown.width}px`;
  canvas.style.height = `${shown.height}px`;
  canvas.width = Math.round(shown.width * dense);
  canvas.height = Math.round(shown.height * dense);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = by * dense < 1;
  if (source) pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  const x = (column) => (column / width) * canvas.width;
  const y = (row) => (row / height) * canvas.height;
  for (const { top, left, bottom, right, kind } of frames) {
    const area = [x(left), y(top), x(right) - x(left), y(bottom) - y(top)];
    if (kind === "receptive field") shade(pen, canvas, area);
    frame(pen, area, dense);
  }
}

function shade(pen, canvas, [left, top, width, height]) {
  pen.save();
  pen.fillStyle = "rgb(0 0 0 / 55%)";
  pen.beginPath();
  pen.rect(0, 0, canvas.width, canvas.height);
  pen.rect(left, top, width, height);
  pen.fill("evenodd");
  pen.restore();
}

// White on black, so that it shows on any picture.
function frame(pen, [left, top, width, height], dense) {
  for (const [colour, wide] of [["#000000", 4], ["#ffffff", 2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = wide * dense;
    pen.strokeRect(left, top, width, height);
  }
}

// The pixel of a picture of height x width under a mouse event.
export function pixelAt(canvas, event, height, width) {
  const box = canvas.getBoundingClientRect();
  const within = (offset, size, count) => Math.max(0, Math.min(Math.floor((offset / size) * count), count - 1));
  return [within(event.clientY - box.top, box.height, height), within(event.clientX - box.left, box.width, width)];
}
