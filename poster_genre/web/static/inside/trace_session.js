// A poster's trace session on the server. The server ends it after a while; then the poster is sent again and the
// request repeated.
import { RequestFailed, sentence } from "../api.js";
import { background } from "./elements.js";

const TRIES = 8;
// With this header an unreadable poster or an ended session is an answer with a success status: browsers write every
// other status into their console.
const LENIENT = { Prefer: "handling=lenient" };
const ENDED = 204;

export class TraceSession {
  // description: the answer of POST /api/v1/inside, the schema TraceSession of the OpenAPI document.
  constructor(blob, { token, model, two_views, difference, genres, groups, steps }) {
    Object.assign(this, { blob, token, model, two_views, difference, genres, groups, steps, restarting: null });
  }

  static async start(blob) {
    return new TraceSession(blob, await send(blob));
  }

  // view: { mirrored, genre }; with a genre the pictures are of its gradient. channel: one map alone.
  mapsPath(step, { mirrored, genre }, channel = null) {
    const query = new URLSearchParams({ background: background(), mirrored: mirrored ? 1 : 0 });
    if (channel !== null) query.set("channel", channel);
    return `${genre ? `gradients/${encodeURIComponent(genre)}/` : ""}maps/${step}.png?${query}`;
  }

  posterPath({ mirrored }) {
    return `poster.png?mirrored=${mirrored ? 1 : 0}`;
  }

  // The size of a genre's gradient at each step that has one, by step.
  async gradientSizes(genre, mirrored) {
    const { steps } = await this.json(`gradients/${encodeURIComponent(genre)}?mirrored=${mirrored ? 1 : 0}`);
    return new Map(steps.map((each) => [each.step, each]));
  }

  async json(path) {
    return (await this.get(path)).json();
  }

  async picture(path) {
    return createImageBitmap(await (await this.get(path)).blob());
  }

  async get(path) {
    let answer = await fetchWithRetries(`api/v1/inside/${this.token}/${path}`, { headers: LENIENT });
    if (answer.status === ENDED) {
      // Several requests may find the session ended; the poster is sent again once.
      this.restarting ??= send(this.blob).then((restarted) => {
        this.token = restarted.token;
        setTimeout(() => {
          this.restarting = null;
        }, 1000);
      });
      await this.restarting;
      answer = await fetchWithRetries(`api/v1/inside/${this.token}/${path}`, { headers: LENIENT });
    }
    return succeeded(answer);
  }
}

// The patches of posters at which a map is largest.
export async function fetchPatches(step, channel) {
  return (await succeeded(await fetchWithRetries(`api/v1/inside/patches/${step}?channel=${channel}`))).json();
}

async function send(blob) {
  const form = new FormData();
  form.append("image", blob, "poster");
  const response = await succeeded(await fetchWithRetries("api/v1/inside", { method: "POST", body: form, headers: LENIENT }));
  const answer = await response.json();
  if (answer.error) throw new RequestFailed(sentence(answer.error));
  return answer;
}

async function fetchWithRetries(path, options = {}) {
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new RequestFailed("The server does not answer. Is it still running?");
    }
    if (answer.status !== 503 || attempt === TRIES) return answer;
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000 * (0.5 + Math.random())));
  }
}

async function succeeded(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new RequestFailed(sentence(problem.detail ?? `The server answered ${answer.status}.`));
}
