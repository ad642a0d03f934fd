// A picture as it is, or a smaller copy where the server would refuse it for its size or cannot read its format.
const SHRUNK_SIDE = 2400; // of the copy, the longer side
const READ_BY_BROWSERS = ["image/avif", "image/svg+xml"]; // and perhaps not by the server

// limits: { bytes, pixels, types }. Resolves to { blob, smaller }.
export async function shrinkIfLarge(blob, limits) {
  const copied = await copyOf(blob, SHRUNK_SIDE, (width, height) => {
    const unread = READ_BY_BROWSERS.includes(blob.type) && !limits.types.includes(blob.type);
    return unread || blob.size > limits.bytes * 0.98 || width * height > limits.pixels;
  });
  return copied ? { blob: copied, smaller: true } : { blob, smaller: false };
}

// A JPEG of at most `side` pixels; the picture as it is where the browser cannot read it.
export async function smallerCopy(blob, side) {
  return (await copyOf(blob, side, () => true)) ?? blob;
}

// The server's limits, from the page: <... data-max-bytes data-max-pixels data-types>.
export function limitsOf(element) {
  const { maxBytes, maxPixels, types } = element.dataset;
  return { bytes: Number(maxBytes), pixels: Number(maxPixels), types: types.split(",") };
}

async function copyOf(blob, side, wanted) {
  const url = URL.createObjectURL(blob);
  try {
    const picture = await loaded(url);
    const { naturalWidth: width, naturalHeight: height } = picture ?? { naturalWidth: 0, naturalHeight: 0 };
    if (!width || !height || !wanted(width, height)) return null;
    const scale = Math.min(1, side / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#ffffff"; // a JPEG has no transparency; the server lays it over white too
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  } finally {
    URL.revokeObjectURL(url);
  }
}

function loaded(url) {
  return new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => resolve(null);
    picture.src = url;
  });
}
