// The last poster, stored in this browser alone (IndexedDB), for the inside page.
const NAME = "poster-genre";
const STORE = "poster";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function use(mode, act) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const request = act(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

// Resolves to whether it was stored; private windows may refuse.
export async function storePoster(blob) {
  try {
    await use("readwrite", (store) => store.put(blob, "last"));
    return true;
  } catch {
    return false;
  }
}

// The Blob that was stored last, or null.
export async function storedPoster() {
  try {
    return (await use("readonly", (store) => store.get("last"))) ?? null;
  } catch {
    return null;
  }
}

export async function deletePoster() {
  try {
    await use("readwrite", (store) => store.delete("last"));
  } catch {
    // Nothing was stored.
  }
}
