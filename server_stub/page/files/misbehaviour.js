// Misbehaviour: the rules as text, ready-made ones, and how often each has acted.

import { byId, definitions, element, say, write } from "./element.js";
import { load, post } from "./live.js";

export class MisbehaviourPane {
  #text = byId("toml");
  #refresh;
  #applied = "";

  constructor({ refresh }) {
    this.#refresh = refresh;
    byId("rules").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#act("/misbehaviour", this.#text.value);
    });
    byId("clear").addEventListener("click", () => this.#act("/misbehaviour/clear", ""));
    this.#offerPresets();
  }

  // What somebody is writing is left alone when the rules change elsewhere.
  show({ text, fired }) {
    if (this.#text.value === this.#applied) {
      this.#text.value = text;
    }
    this.#applied = text;
    byId("misbehaving").hidden = !fired.length;
    byId("fired-none").hidden = fired.length > 0;
    const counts = fired.map(([rule, times]) => [rule, times === 1 ? "once" : times ? `${times} times` : "not yet"]);
    definitions(byId("fired"), counts);
  }

  async #offerPresets() {
    const presets = await load("/presets");
    const items = presets.map(({ name, about, text }) => {
      const button = element("button", { type: "button", text: name });
      button.addEventListener("click", () => this.#take(name, text));
      return element("li", {}, button, element("span", { text: about }));
    });
    byId("presets").replaceChildren(...items);
  }

  #take(name, text) {
    this.#text.value = text;
    this.#text.focus();
    say(byId("misbehaviour-said"), `${name}: apply it to let it count.`);
  }

  async #act(address, text) {
    try {
      const { done } = await post(address, text);
      this.#text.value = this.#applied = text;
      await this.#refresh();
      say(byId("misbehaviour-said"), done);
    } catch (error) {
      say(byId("misbehaviour-said"), error.message, true);
    }
  }
}
