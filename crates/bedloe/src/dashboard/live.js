// Keeps the page up to date: the part that changes comes whole, as the balancer has made it. Without this the page stays
// as it was loaded.
"use strict";
const live = document.getElementById("live");
const said = document.getElementById("said");
let heard = Date.now();
let ends = 0;
let shown = "";

function say(sentence) {
  if (said.textContent !== sentence) said.textContent = sentence;
}

function lost() {
  say("The balancer does not answer; what is shown is from before.");
}

// What somebody has selected stays until it is let go; what was scrolled, or has the keyboard, is so again.
function show(part) {
  const selection = getSelection();
  if (part === shown || (!selection.isCollapsed && live.contains(selection.anchorNode))) return;
  shown = part;
  const boxes = () => [...live.querySelectorAll(".wide")];
  const scrolled = boxes().map((box) => box.scrollLeft);
  const focused = boxes().indexOf(document.activeElement);
  live.innerHTML = part;
  boxes().forEach((box, index) => {
    box.scrollLeft = scrolled[index] || 0;
    if (index === focused) box.focus({ preventScroll: true });
  });
}

function listen() {
  const source = new EventSource("?file=live&view=" + live.dataset.view);
  source.onmessage = (message) => {
    heard = Date.now();
    ends = 0;
    const { part, sentence } = JSON.parse(message.data);
    show(part);
    say(sentence);
  };
  source.onerror = () => {
    // In a location of the balancer each event is an answer of its own: one end is no news, but two without an event are.
    ends += 1;
    if (ends > 1) lost();
    // What is no stream of events, such as an error's page, has ended it for good.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

listen();
// A balancer that hangs ends nothing.
setInterval(() => { if (Date.now() - heard > 10000) lost(); }, 2000);
