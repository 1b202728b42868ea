// Everything works without this but passkeys. It makes leaving faster and errors easier to find.
"use strict";
const leave = () => {
  // What was on the screen goes first; the next place takes this one's place in the history.
  document.body.replaceChildren();
  location.replace("/leave");
};
document.querySelector("a.leave")?.addEventListener("click", (event) => {
  event.preventDefault();
  leave();
});
// Escape, three times within a second and a half.
let presses = [];
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  // It would stop the next page from coming.
  event.preventDefault();
  presses = [...presses, event.timeStamp].filter((at) => event.timeStamp - at < 1500);
  if (presses.length >= 3) leave();
});
document.querySelector("#summary")?.focus();
// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // What comes may be a file, or nothing: then the page stays, and so does its button.
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}
// What may be read for some minutes says how many are left, by no clock but its own.
for (const told of document.querySelectorAll("[data-minutes]")) {
  const ends = performance.now() + 60000 * Number(told.dataset.minutes);
  const tell = () => {
    const left = Math.ceil((ends - performance.now()) / 60000);
    if (left < 1) return location.replace("/ended");
    told.textContent = left === 1 ? "1 minute" : `${left} minutes`;
  };
  setInterval(tell, 15000);
}
// Passkeys: where the browser knows them. Without, there is the code.
if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  for (const part of document.querySelectorAll("[data-passkeys]")) part.hidden = false;
}
for (const part of document.querySelectorAll("[data-passkey]")) {
  const form = part.querySelector("form");
  const says = part.querySelector("[data-says]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    says.textContent = "";
    try {
      const { publicKey } = JSON.parse(part.dataset.passkey);
      const reply = publicKey.user
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
      form.elements.passkey.value = JSON.stringify(reply);
      form.submit();
    } catch {
      delete form.dataset.sent;
      says.textContent = says.dataset.says;
    }
  });
}
