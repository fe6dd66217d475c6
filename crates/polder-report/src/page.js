// Search over findings: `/` puts the cursor there, the words stand in the address.
const field = document.getElementById("search");
const rows = [...document.querySelectorAll("[data-text]")];
const count = document.getElementById("count");
function filter() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const hit = words.every((word) => row.dataset.text.includes(word));
    row.hidden = !hit;
    shown += hit ? 1 : 0;
  }
  count.textContent = `${shown} of ${rows.length}`;
  const address = new URL(location.href);
  if (field.value) address.searchParams.set("q", field.value);
  else address.searchParams.delete("q");
  try { history.replaceState(null, "", address); } catch { /* a file opened by a strict browser */ }
}
if (field) {
  field.value = new URL(location.href).searchParams.get("q") ?? "";
  field.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "?" && document.activeElement !== field) {
      document.getElementById("keys").open = true;
    }
  });
  filter();
}
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () => document.querySelectorAll("ol.plan details").forEach((it) => { it.open = true; }));
// The picture: opening a treatment shows which steps it closes; size by keys, wheel or drag.
const ways = document.getElementById("ways");
function highlight() {
  const open = [...document.querySelectorAll("ol.plan details[open]")].map((it) => it.id.replace("plan-", ""));
  for (const step of document.querySelectorAll("#ways .step")) {
    const closed = step.dataset.closed.split(" ").some((number) => number && open.includes(number));
    step.classList.toggle("closed", closed);
  }
}
for (const it of document.querySelectorAll("ol.plan details")) it.addEventListener("toggle", highlight);
if (ways) {
  const svg = ways.querySelector("svg");
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  let size = 1;
  const resize = (to) => {
    size = Math.min(4, Math.max(0.25, to));
    svg.setAttribute("width", width * size);
    svg.setAttribute("height", height * size);
  };
  ways.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") resize(size * 1.25);
    else if (event.key === "-") resize(size / 1.25);
    else if (event.key === "0") resize(1);
    else return;
    event.preventDefault();
  });
  ways.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    resize(event.deltaY < 0 ? size * 1.1 : size / 1.1);
  }, { passive: false });
  let from = null;
  ways.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX + ways.scrollLeft, y: event.clientY + ways.scrollTop };
    ways.setPointerCapture(event.pointerId);
  });
  ways.addEventListener("pointermove", (event) => {
    if (!from) return;
    ways.scrollLeft = from.x - event.clientX;
    ways.scrollTop = from.y - event.clientY;
  });
  ways.addEventListener("pointerup", () => { from = null; });
  highlight();
}
