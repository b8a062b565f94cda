// Language, width and colours of all mails at once. What was chosen is kept in this browser; until then, the page is in
// all languages, as wide as the window allows, and in the browser's own colours.

const apply = {
  language: (value) => {
    for (const mail of document.querySelectorAll("article")) {
      mail.hidden = value !== "" && mail.dataset.language !== value;
    }
  },
  width: (value) => { document.body.dataset.width = value; },
  colours: (value) => {
    document.body.dataset.colours = value;
    for (const frame of document.querySelectorAll("iframe")) {
      const source = `${frame.getAttribute("src").split("?")[0]}?${value}`;
      if (source === frame.getAttribute("src")) continue;
      // A new frame: after a reload, a browser puts what an old one last showed back into it.
      const fresh = frame.cloneNode();
      fresh.setAttribute("src", source);
      frame.replaceWith(fresh);
    }
  },
};

const asTheBrowser = {
  language: "",
  width: matchMedia("(max-width: 860px)").matches ? "phone" : "desktop",
  colours: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
};

const controls = document.forms.shown.elements;
for (const [name, choose] of Object.entries(apply)) {
  for (const value of [localStorage.getItem(name), asTheBrowser[name]]) {
    if (value === null) continue;
    controls[name].value = value;
    if (controls[name].value === value) break; // the language that was chosen may be gone
  }
  choose(controls[name].value);
}

document.forms.shown.addEventListener("change", ({ target }) => {
  localStorage.setItem(target.name, target.value);
  apply[target.name](target.value);
});
