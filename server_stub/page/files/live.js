// Asks for the state twice a second, which costs the server next to nothing while it is the same (304).
// A page that nobody looks at does not ask.

import { byId, write } from "./element.js";

const PAUSE = 500; // milliseconds

export class Live {
  #address;
  #show;
  #etag = null;
  #timer = null;
  #asking = null;

  constructor(address, show) {
    this.#address = address;
    this.#show = show;
    document.addEventListener("visibilitychange", () => this.look());
  }

  // Resolves when what is there now is shown: an answer in flight may be from before, so it asks once more.
  async look() {
    await this.#asking;
    clearTimeout(this.#timer);
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    await this.#asking;
  }

  async #ask() {
    const headers = this.#etag ? { "if-none-match": this.#etag } : {};
    const answer = await fetch(this.#address, { headers, cache: "no-store" }).catch(() => null);
    try {
      if (answer?.status === 200) {
        const state = await answer.json();
        this.#etag = answer.headers.get("etag");
        this.#show(state);
      }
    } finally {
      this.#tell(answer?.ok || answer?.status === 304);
      if (!document.hidden) {
        this.#timer = setTimeout(() => this.look(), PAUSE);
      }
    }
  }

  #tell(answers) {
    document.documentElement.classList.toggle("lost", !answers);
    write(byId("live"), answers ? "Live" : "The stub does not answer; trying again …");
  }
}

export const load = (address) => ask(address, { cache: "no-store" });
export const post = (address, body) => ask(address, { method: "POST", body });

// Returns the JSON of an answer; what went wrong is an Error with a sentence.
async function ask(address, options) {
  const answer = await fetch(address, options).catch(() => {
    throw new Error("The stub does not answer; is it still running?");
  });
  const content = await answer.json().catch(() => null);
  if (!answer.ok || !content) {
    throw new Error(content?.error ?? `The stub's answer (${answer.status}) cannot be read; is something between it and the page?`);
  }
  return content;
}
