// Requests to the API. A request to a busy server is repeated a few times.
const TRIES = 8;

export class RequestFailed extends Error {}

export async function predict(blob) {
  const form = new FormData();
  form.append("image", blob, "poster");
  // "lenient": a picture that cannot be read is an answer too, not a failed request.
  const answer = await post("api/v1/predict?top=25", form, { Prefer: "handling=lenient" });
  const [result] = (await answer.json()).results;
  if (result.error) throw new RequestFailed(sentence(result.error));
  return result;
}

// A heat map; progress(done, of) is called during occlusion.
export async function explain(blob, genre, method, progress, signal) {
  const form = new FormData();
  form.append("image", blob, "poster");
  form.append("genre", genre);
  form.append("method", method);
  const answer = await post("api/v1/explain", form, { Accept: "application/x-ndjson" }, signal);
  for await (const line of lines(answer.body)) {
    if (line.result) return line.result;
    if (line.problem) throw new RequestFailed(line.problem.detail);
    progress(line.done, line.of);
  }
  throw new RequestFailed("The answer broke off. Try again.");
}

async function post(path, body, headers = {}, signal = undefined) {
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", body, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new RequestFailed("The server does not answer. Is it still running?");
    }
    if (answer.ok) return answer;
    if (answer.status === 503 && attempt < TRIES) {
      const seconds = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000 * (0.5 + Math.random())));
      continue;
    }
    const problem = await answer.json().catch(() => ({}));
    throw new RequestFailed(sentence(problem.detail ?? `The server answered ${answer.status}.`));
  }
}

// "image 1 is empty (0 bytes)" as a sentence: "This file is empty (0 bytes)."
export function sentence(text) {
  const shown = text.replace(/^image \d+/, "this file");
  return shown[0].toUpperCase() + shown.slice(1) + (/[.!?]$/.test(shown) ? "" : ".");
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
    if (done) return;
  }
}
