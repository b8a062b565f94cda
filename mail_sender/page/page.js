// Width and colours of all mails at once; a reload keeps them.
const frames = document.querySelectorAll("iframe");

const apply = {
  width: (value) => { document.body.dataset.width = value; },
  colours: (value) => {
    document.body.dataset.colours = value;
    for (const frame of frames) {
      const source = `${frame.getAttribute("src").split("?")[0]}?${value}`;
      if (source !== frame.getAttribute("src")) frame.setAttribute("src", source);
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
