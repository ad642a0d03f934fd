// The poster last looked at, kept in this browser alone, so that the inside page can go on with it.
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

// Resolves to whether it could be kept; private windows may refuse.
export async function keepPoster(blob) {
  try {
    await use("readwrite", (store) => store.put(blob, "last"));
    return true;
  } catch {
    return false;
  }
}

// The Blob that keepPoster was given last, or null.
export async function keptPoster() {
  try {
    return (await use("readonly", (store) => store.get("last"))) ?? null;
  } catch {
    return null;
  }
}

export async function forgetPoster() {
  try {
    await use("readwrite", (store) => store.delete("last"));
  } catch {
    // Nothing was kept.
  }
}
