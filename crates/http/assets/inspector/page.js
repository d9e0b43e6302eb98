"use strict";

const state = document.querySelector("#state");
const requests = document.querySelector("#requests");
const events = document.querySelector("#events tbody");

function say(text, kind) {
  state.textContent = text;
  state.className = kind;
}

const stream = new EventSource(`${requests.dataset.stream}?after=${requests.dataset.newest}`);
let wasLost = false;

stream.addEventListener("open", () => {
  // What came meanwhile is missing here, and another server may answer now.
  if (wasLost) location.reload();
  say("Live", "live");
});

stream.addEventListener("error", () => {
  wasLost = true;
  const isOver = stream.readyState === EventSource.CLOSED;
  say(isOver ? "Not live: reload the page to see what is new" : "Connection lost, trying again", "lost");
});

stream.addEventListener("request", ({ data }) => {
  const rows = requests.tBodies[0];
  rows.querySelector(".empty")?.remove();
  rows.insertAdjacentHTML("afterbegin", data);
  rows.rows[0].classList.add("new");
  while (rows.rows.length > requests.dataset.capacity) rows.lastElementChild.remove();
});

stream.addEventListener("events", ({ data }) => {
  const known = new Set(Array.from(events.rows, (row) => row.cells[row.cells.length - 1].textContent));
  events.innerHTML = data;
  for (const row of events.rows) {
    if (!known.has(row.cells[row.cells.length - 1].textContent)) row.classList.add("new");
  }
});

for (const code of document.querySelectorAll("dd code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${code.closest("div").querySelector("dt").textContent}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  });
  code.after(button);
}
