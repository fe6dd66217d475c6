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
