// Keeps the page up to date: the part that changes comes whole, as the balancer has made it. Without this the page stays
// as it was loaded.
"use strict";
const live = document.getElementById("live");
const said = document.getElementById("said");
const source = new EventSource("live?view=" + live.dataset.view);
source.onmessage = (message) => {
  const { part, sentence } = JSON.parse(message.data);
  const scrolled = [...live.querySelectorAll(".wide")].map((box) => box.scrollLeft);
  live.innerHTML = part;
  live.querySelectorAll(".wide").forEach((box, index) => { box.scrollLeft = scrolled[index] || 0; });
  if (said.textContent !== sentence) said.textContent = sentence;
};
source.onerror = () => { said.textContent = "The balancer does not answer; what is shown is from before."; };
