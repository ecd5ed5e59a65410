// Keeps the page up to date: the part that changes comes whole, as the balancer has made it. Without this the page stays
// as it was loaded.
"use strict";
const live = document.getElementById("live");
const said = document.getElementById("said");
const source = new EventSource("?file=live&view=" + live.dataset.view);
let heard = Date.now();
source.onmessage = (message) => {
  heard = Date.now();
  const { part, sentence } = JSON.parse(message.data);
  const scrolled = [...live.querySelectorAll(".wide")].map((box) => box.scrollLeft);
  live.innerHTML = part;
  live.querySelectorAll(".wide").forEach((box, index) => { box.scrollLeft = scrolled[index] || 0; });
  if (said.textContent !== sentence) said.textContent = sentence;
};
// In a location of the balancer each event is an answer of its own, so an end is no news.
setInterval(() => {
  const lost = "The balancer does not answer; what is shown is from before.";
  if (Date.now() - heard > 10000 && said.textContent !== lost) said.textContent = lost;
}, 2000);
