// What the page asks the server. The server keeps a poster for a while only; when it has forgotten it, the
// poster is sent again and the question repeated.
import { Refused, sentence } from "../api.js";

const TRIES = 8;
// Asked so, the server says that a poster cannot be read, or is gone, in an answer that is a success: browsers
// write every other status into their console.
const LENIENT = { Prefer: "handling=lenient" };
const GONE = 204;

export class Visit {
  // entered: what POST /api/v1/inside answered.
  constructor(blob, entered) {
    this.blob = blob;
    this.entered = entered;
    this.token = entered.token;
    this.coming = null;
  }

  static async enter(blob) {
    return new Visit(blob, await send(blob));
  }

  async json(path) {
    return (await this.get(path)).json();
  }

  async picture(path) {
    return createImageBitmap(await (await this.get(path)).blob());
  }

  async get(path) {
    let answer = await patiently(`/api/v1/inside/${this.token}/${path}`, { headers: LENIENT });
    if (answer.status === GONE) {
      // Several questions may find the poster gone; it is sent again once.
      this.coming ??= send(this.blob).then((entered) => {
        this.token = entered.token;
        setTimeout(() => {
          this.coming = null;
        }, 1000);
      });
      await this.coming;
      answer = await patiently(`/api/v1/inside/${this.token}/${path}`, { headers: LENIENT });
    }
    return accepted(answer);
  }
}

async function send(blob) {
  const form = new FormData();
  form.append("image", blob, "poster");
  const answer = await accepted(await patiently("/api/v1/inside", { method: "POST", body: form, headers: LENIENT }));
  const entered = await answer.json();
  if (entered.error) throw new Refused(sentence(entered.error));
  return entered;
}

async function patiently(path, options = {}) {
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Refused("The server does not answer. Is it still running?");
    }
    if (answer.status !== 503 || attempt === TRIES) return answer;
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000 * (0.5 + Math.random())));
  }
}

async function accepted(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(sentence(problem.detail ?? `The server answered ${answer.status}.`));
}
