// Uploads a recording and tells how far it is tagged.

import { address, ask, el } from "./dom.js";

const EVERY_MS = 400;
const progress = document.getElementById("progress");

export function send(file) {
  const request = new XMLHttpRequest(), form = new FormData();
  form.append("file", file);
  request.upload.addEventListener("progress", ({ loaded, total }) => tell("uploading", file.name, loaded / total));
  request.addEventListener("error", () => fail("the server cannot be reached"));
  request.addEventListener("load", () => {
    const answer = JSON.parse(request.responseText);
    if (request.status === 202) watch(answer);
    else fail(answer.error.message);
  });
  request.open("POST", "/v1/uploads");
  request.send(form);
}

async function watch(upload) {
  while (upload.state === "waiting" || upload.state === "tagging") {
    tell(upload.state, upload.title, upload.share);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    try {
      upload = await ask(`/v1/uploads/${upload.key}`);
    } catch (error) {
      return fail(error.message);
    }
  }
  if (upload.state === "failed") return fail(upload.error);
  progress.replaceChildren("tagged: ", el("a", { href: address(`recording/${upload.recording}`, {}) }, upload.title));
}

function tell(state, name, share) {
  progress.replaceChildren(`${state} `, el("progress", { value: share, max: 1 }), name);
}

function fail(message) {
  progress.replaceChildren(`not tagged: ${message}`);
}
