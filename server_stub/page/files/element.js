// Builds elements. Text only ever becomes text: everything shown here was written by somebody else.

export const byId = (id) => document.getElementById(id);

export function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  made.append(...children);
  return made;
}

// Writes only what is another than before, so that nothing is laid out or read aloud anew without need.
export function write(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

// The same where the text may be cut: the whole of it is the title.
export function writeWhole(target, text) {
  write(target, text);
  target.title = text;
}

export function definitions(target, pairs) {
  target.replaceChildren(
    ...pairs.flatMap(([name, value]) => [
      element("dt", { text: name }),
      value instanceof Node ? element("dd", {}, value) : element("dd", { text: value }),
    ]),
  );
}

export function say(target, sentence, failed = false) {
  for (const older of document.querySelectorAll(".pane > header .said")) {
    older.textContent = ""; // what was done before is no news any more
  }
  target.classList.toggle("failed", failed);
  target.textContent = sentence;
}

export function announce(sentence) {
  byId("announced").textContent = sentence;
}
