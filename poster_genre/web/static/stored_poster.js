// The last poster, in this tab's session alone: it goes with the visitor from page to page, survives a reload, and is
// gone when the tab is closed.
import { smallerCopy } from "./shrink_picture.js";

const KEY = "poster";
const LARGEST = 3_000_000; // bytes; a session holds about 5 million characters, and base64 has 4 for 3 bytes
const COPY_SIDE = 1200; // pixels of the longer side of the copy that stands in for a larger file

// Resolves to whether it was stored: the session may have no room, or storage may be switched off.
export async function storePoster(blob, name) {
  try {
    const kept = blob.size > LARGEST ? await smallerCopy(blob, COPY_SIDE) : blob;
    sessionStorage.setItem(KEY, JSON.stringify({ name, url: await dataUrl(kept) }));
    return true;
  } catch {
    return false;
  }
}

// The File that was stored last, or null.
export function storedPoster() {
  try {
    const { name, url } = JSON.parse(sessionStorage.getItem(KEY));
    const [head, body] = url.split(",");
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    return new File([bytes], name, { type: head.slice("data:".length, head.indexOf(";")) });
  } catch {
    return null;
  }
}

export function deletePoster() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was stored.
  }
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
