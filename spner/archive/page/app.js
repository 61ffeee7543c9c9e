// Which view is shown: #/, #/search?q=…&label=…, #/recording/<id>?t=<seconds>.

import { address, ask, el } from "./dom.js";
import { leave, showRecording } from "./recording.js";
import { showHits, showHome } from "./search.js";
import { send } from "./upload.js";

const view = document.getElementById("view");
const words = document.getElementById("words");
const label = document.getElementById("label");
const file = document.getElementById("file");
let shown = 0;

async function show() {
  const now = ++shown;
  const [path, query] = location.hash.slice(2).split("?");
  const parameters = new URLSearchParams(query);
  leave();
  let nodes;
  try {
    if (path === "search") {
      words.value = parameters.get("q") ?? "";
      choose(parameters.get("label") ?? "");
      nodes = await showHits(parameters);
    } else if (/^recording\/\d+$/.test(path)) nodes = await showRecording(path.split("/")[1], parameters);
    else nodes = await showHome(parameters);
  } catch (error) {
    nodes = [el("p", {}, error.message)];
  }
  if (now !== shown) return; // somebody went on meanwhile
  view.replaceChildren(...nodes);
  view.focus({ preventScroll: true });
}

function choose(name) {
  if (name && ![...label.options].some((option) => option.value === name)) label.append(el("option", { value: name }, name));
  label.value = name;
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (words.value.trim() || label.value) location.hash = address("search", { q: words.value, label: label.value });
});

label.addEventListener("change", () => document.getElementById("search").requestSubmit());

file.addEventListener("change", () => {
  if (file.files.length) send(file.files[0]);
  file.value = "";
});

addEventListener("hashchange", show);
show();
ask("/health").then(({ model }) => { document.getElementById("upload").hidden = model === "none"; });
ask("/v1/names", { limit: 1 }).then(({ labels }) => {
  for (const name of Object.keys(labels)) if (name !== label.value) label.append(el("option", { value: name }, name));
});
