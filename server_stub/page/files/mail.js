// The mail that arrived: its list, the reading pane, and deleting.

import { setTime } from "./ages.js";
import { byId, definitions, element, say, write, writeWhole } from "./element.js";
import { List } from "./list.js";
import { load, post } from "./live.js";
import { Tabs } from "./tabs.js";

const TITLE = document.title;

const ROW = {
  make() {
    const parts = [["span", "title"], ["time", "age"], ["span", "under"], ["span", "fresh"]];
    return element("div", { class: "row" }, ...parts.map(([tag, name]) => element(tag, { class: name })));
  },
  fill(row, item) {
    const [title, age, under, fresh] = row.children;
    write(title, item.subject || "No subject");
    setTime(age, item.received);
    write(under, item.to ? `to ${item.to}` : "no To header");
    write(fresh, item.isNew ? "new" : "");
  },
};

export class MailPane {
  #list;
  #refresh;
  #showEntry;
  #entry = null;
  #mails = { total: 0, rows: [] };
  #known = null;
  #unread = new Set();
  #tabs;
  #frame = byId("html");

  constructor({ refresh, showEntry }) {
    this.#refresh = refresh;
    this.#showEntry = showEntry;
    this.#list = new List(byId("mail-list"), byId("mail-empty"), ROW, () => this.#read());
    this.#tabs = new Tabs(byId("tabs"));
    byId("delete").addEventListener("click", () => this.#delete());
    byId("delete-all").addEventListener("click", () => byId("question").showModal());
    byId("question").addEventListener("close", () => this.#deleteAll());
    byId("to-entry").addEventListener("click", () => this.#showEntry(this.#entry));
  }

  // Returns the mails that have arrived since the last time; they are marked as new until somebody selects them.
  show(mails) {
    const arrived = this.#arrived(mails.rows);
    this.#mails = mails;
    arrived.forEach((row) => this.#unread.add(row.key));
    this.#render();
    if (!this.#list.selected && mails.rows.length) {
      this.#list.select(mails.rows[0].key);
    }
    return arrived;
  }

  go(key) {
    this.#list.go(key);
  }

  #render() {
    const { total, rows } = this.#mails;
    const unread = rows.filter((row) => this.#unread.has(row.key)).length;
    const count = total > rows.length ? `the newest ${rows.length} of ${total}` : String(total);
    write(byId("mail-count"), unread ? `${count}, ${unread} new` : count);
    document.title = unread ? `(${unread} new) ${TITLE}` : TITLE;
    byId("delete-all").hidden = !total;
    this.#list.show(rows.map((row) => ({ ...row, id: row.key, isNew: this.#unread.has(row.key) })));
  }

  // The newest come first: what follows a known mail is older, and is shown because another one was deleted.
  #arrived(rows) {
    const known = this.#known ?? new Set(rows.map((row) => row.key));
    const place = rows.findIndex((row) => known.has(row.key));
    this.#known = new Set(rows.map((row) => row.key));
    return place < 0 ? rows : rows.slice(0, place);
  }

  async #read() {
    const key = this.#list.selected;
    if (this.#unread.delete(key)) {
      this.#render();
    }
    byId("reading-none").hidden = Boolean(key);
    byId("reading-shown").hidden = !key;
    this.#frameTo("about:blank");
    if (!key) {
      return;
    }
    try {
      const mail = await load(address(key));
      if (key === this.#list.selected) {
        this.#show(mail);
      }
    } catch (error) {
      byId("reading-shown").hidden = true;
      say(byId("mail-said"), error.message, true);
    }
  }

  #show(mail) {
    writeWhole(byId("subject"), mail.subject || "No subject");
    const fromTo = `${mail.from || "nobody"} to ${mail.to || "nobody"}${mail.date ? `, ${mail.date}` : ""}`;
    writeWhole(byId("from-to"), fromTo);
    this.#entry = mail.entry;
    byId("to-entry").hidden = !mail.entry;
    this.#frame.hidden = !mail.html;
    byId("html-none").hidden = mail.html;
    this.#frameTo(mail.html ? `${address(mail.key)}/html` : "about:blank");
    byId("text-none").hidden = Boolean(mail.text);
    showText("text", mail.text ?? { text: "", shown: 0, length: 0 });
    showText("source", mail.source);
    definitions(byId("headers"), mail.headers);
    definitions(byId("facts"), [...mail.facts, ["Queue entry", mail.entry ?? "not named in the mail"]]);
    this.#tabs.show((tab) => ({ "tab-html": mail.html, "tab-text": Boolean(mail.text) })[tab] ?? true);
    byId("panel-text").scrollTop = byId("panel-source").scrollTop = 0;
  }

  // A new frame for each mail: nothing of the one before is left, and the browser's Back does not go through them.
  #frameTo(address) {
    const fresh = this.#frame.cloneNode();
    fresh.src = address;
    this.#frame.replaceWith(fresh);
    this.#frame = fresh;
  }

  #delete() {
    return this.#act(`${address(this.#list.selected)}/delete`);
  }

  async #deleteAll() {
    if (byId("question").returnValue === "yes") {
      await this.#act("/mail/delete");
    }
    byId("question").returnValue = "";
  }

  async #act(address) {
    try {
      const { done } = await post(address);
      await this.#refresh();
      say(byId("mail-said"), done);
      if (!this.#list.selected) {
        byId("mail-title").focus(); // the button that was pressed is gone
      }
    } catch (error) {
      say(byId("mail-said"), error.message, true);
    }
  }
}

function address(key) {
  return `/mail/${encodeURIComponent(key)}`;
}

function showText(name, { text, shown, length }) {
  write(byId(name), text);
  byId(`${name}-cut`).hidden = shown >= length;
  write(byId(`${name}-cut`), `The first ${shown} of ${length}; the rest is in the file.`);
}
