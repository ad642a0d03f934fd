// A picture as it is, or a smaller copy where the server would refuse it for its size.
const SHRUNK_SIDE = 2400; // of the copy, the longer side

// limits: { bytes, pixels }. Resolves to { blob, smaller }.
export async function shrinkIfLarge(blob, limits) {
  const url = URL.createObjectURL(blob);
  try {
    const picture = await loaded(url);
    const { naturalWidth: width, naturalHeight: height } = picture ?? { naturalWidth: 0, naturalHeight: 0 };
    const large = blob.size > limits.bytes * 0.98 || width * height > limits.pixels;
    if (!large || !width || !height) return { blob, smaller: false };
    const scale = Math.min(1, SHRUNK_SIDE / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#ffffff"; // a JPEG has no transparency; the server lays it over white too
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const copy = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    return copy ? { blob: copy, smaller: true } : { blob, smaller: false };
  } finally {
    URL.revokeObjectURL(url);
  }
}

// The server's limits, from the page: <... data-max-bytes data-max-pixels>.
export function limitsOf(element) {
  return { bytes: Number(element.dataset.maxBytes), pixels: Number(element.dataset.maxPixels) };
}

function loaded(url) {
  return new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => resolve(null);
    picture.src = url;
  });
}
