// Width and colours of all mails at once; a reload keeps them.

const apply = {
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

for (const [name, choose] of Object.entries(apply)) {
  const inputs = [...document.querySelectorAll(`input[name=${name}]`)];
  const kept = inputs.find((input) => input.value === sessionStorage.getItem(name));
  const chosen = kept ?? inputs.find((input) => input.defaultChecked);
  chosen.checked = true;
  choose(chosen.value);
  for (const input of inputs) {
    input.addEventListener("change", () => {
      sessionStorage.setItem(name, input.value);
      choose(input.value);
    });
  }
}
