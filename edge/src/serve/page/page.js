"use strict";
// The page of lsr-edge: shows what the API gives, and keeps nothing of its own but how it is looked at.

const API = "/api/v1";
const $ = (id) => document.getElementById(id);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const SVG = "http://www.w3.org/2000/svg";

/** What is looked at: its record, its pixels, and its probabilities, one byte a pixel. */
let shown = null;
let frozen = false;
let latest = 0;
let busy = false;
let history = [];

async function get(path) {
  const response = await fetch(API + path);
  if (!response.ok) throw new Error(await reason(response));
  return response.json();
}

async function reason(response) {
  try { return (await response.json()).detail; } catch { return `${response.status} ${response.statusText}`; }
}

async function bitmap(path) {
  const response = await fetch(API + path);
  if (!response.ok) throw new Error(await reason(response));
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
}

function pixelsOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

// The field

async function show(number) {
  const record = await get(`/fields/${number}`);
  const [frame, probability] = await Promise.all([
    bitmap(`/fields/${number}/frame.jpg`).catch(() => null),
    bitmap(`/fields/${number}/probability.png`).catch(() => null),
  ]);
  const size = [record.width, record.height];
  const blank = () => new ImageData(new Uint8ClampedArray(4 * size[0] * size[1]).fill(200), size[0], size[1]);
  const image = frame ? pixelsOf(frame) : blank();
  let levels = null;
  if (probability) {
    const data = pixelsOf(probability).data;
    levels = new Uint8Array(size[0] * size[1]);
    for (let i = 0; i < levels.length; i++) levels[i] = data[4 * i];
  }
  shown = { record, image, levels };
  draw();
  describe();
}

/** The same picture as the overlay files: a yellow tint, a light line inside the border and a dark one outside it. */
function draw() {
  if (!shown) return;
  const { image, levels, record } = shown;
  const { width, height } = record;
  const canvas = $("field");
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  $("empty").hidden = true;
  const threshold = Number($("threshold").value) / 100;
  const least = Math.max(1, Math.ceil(255 * threshold - 1e-9));
  const out = new ImageData(new Uint8ClampedArray(image.data), width, height);
  let count = 0;
  if (levels) {
    const data = out.data;
    const opacity = $("show-mask").checked ? Number($("opacity").value) / 100 : 0;
    const contour = $("show-contour").checked;
    const line = Math.ceil(Math.max(width, height) / 800);
    const is = (x, y) => levels[y * width + x] >= least;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const inside = is(x, y);
        if (inside) count++;
        let border = false;
        if (contour) {
          border = (x >= line && is(x - line, y) !== inside) || (x + line < width && is(x + line, y) !== inside)
            || (y >= line && is(x, y - line) !== inside) || (y + line < height && is(x, y + line) !== inside);
        }
        const at = 4 * (y * width + x);
        if (border) {
          [data[at], data[at + 1], data[at + 2]] = inside ? [255, 236, 61] : [20, 20, 40];
        } else if (inside && opacity > 0) {
          data[at] += opacity * (255 - data[at]);
          data[at + 1] += opacity * (225 - data[at + 1]);
          data[at + 2] += opacity * (40 - data[at + 2]);
        }
      }
    }
    $("mask-fraction").textContent = percent(count / levels.length);
  } else {
    $("mask-fraction").textContent = "–";
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
  canvas.dataset.number = record.number;
  canvas.dataset.maskPixels = count;
}

function describe() {
  const { record } = shown;
  $("name").textContent = `${record.number}: ${record.name}`;
  const place = record.position ? `, x ${record.position.x_um.toFixed(0)} y ${record.position.y_um.toFixed(0)} µm` : "";
  const label = record.label === null || record.label === undefined ? "" : `, label ${record.label}`;
  const z = typeof record.z_score === "number" ? `, z ${record.z_score.toFixed(1)}` : "";
  $("facts").textContent = `${record.width} × ${record.height} px at ${record.um_per_px} µm/px${place}${label}${z}, seen ${record.seen_utc.slice(11, 19)} UTC`;
  $("fraction").textContent = percent(record.cancer.count_fraction);
  const words = [];
  if (!record.quality.fit) words.push(`Not fit to be counted: ${record.quality.unfit.join(", ")}`);
  if (record.training_distance && record.training_distance.flagged) words.push("Unlike what the network has learned from: its mask is a guess");
  $("unfit").hidden = words.length === 0;
  $("unfit").textContent = words.length ? `⚠ ${words.join(". ")}` : "";
  for (const [id, file] of [["export-geojson", "regions.geojson"], ["export-mask", "mask.png"], ["export-overlay", "overlay.png"]]) {
    $(id).href = `${API}/fields/${record.number}/${file}`;
    $(id).setAttribute("download", `field-${String(record.number).padStart(6, "0")}.${file}`);
  }
  for (const row of $("fields").children) row.classList.toggle("shown", Number(row.dataset.number) === record.number);
}

/** One at a time, and always the newest: a page that is slow leaves fields out. */
async function follow() {
  if (busy || frozen || latest === 0 || (shown && shown.record.number === latest)) return;
  busy = true;
  try { await show(latest); } catch (error) { state(String(error.message), true); }
  busy = false;
  if (!frozen && shown && shown.record.number !== latest) setTimeout(follow, 30);
}

function freeze(on) {
  frozen = on;
  $("freeze").setAttribute("aria-pressed", String(on));
  $("freeze").textContent = on ? "Go on" : "Freeze";
  if (!on) follow();
}

async function step(by) {
  if (!shown) return;
  freeze(true);
  const number = shown.record.number + by;
  if (number >= 1 && number <= latest) await show(number).catch(() => {});
}

// Everything else

async function refresh() {
  const [statistics, health, latency, fields] = await Promise.all([
    get("/statistics"), get("/health"), get("/latency"), get(`/fields?after=${Math.max(0, latest - 60)}&limit=100`),
  ]);
  const source = health.source;
  const words = { none: "no source: fields are posted", running: "source runs", ended: "source has ended", failed: `source has failed: ${source.reason}` };
  state(words[source.state], source.state === "failed");
  $("mean").textContent = statistics.fit_fields ? `${percent(statistics.mean)} ± ${percent(statistics.between_std)}` : "–";
  $("mean-of").textContent = `mean ± spread of ${statistics.fit_fields} fields, mask ${statistics.mask_area_mm2.toFixed(3)} of ${statistics.area_mm2.toFixed(3)} mm²`;
  $("rate").textContent = `${health.fields} fields, ${health.fields_per_s.toFixed(1)} a second; ${health.frames} frames, ${health.dropped} dropped, ${health.failed} failed`;
  labels(statistics.labels);
  table(fields);
  history = fields.map((field) => field.cancer.count_fraction);
  sparkline();
  const cell = (text) => { const td = document.createElement("td"); td.textContent = text; return td; };
  $("latency").replaceChildren(...latency.map((stage) => {
    const row = document.createElement("tr");
    row.append(cell(stage.stage), ...["mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"].map((key) => cell(stage[key].toFixed(1))));
    return row;
  }));
  await mosaic();
}

function state(text, bad = false) {
  $("state").textContent = (bad ? "⚠ " : "") + text;
  $("state").classList.toggle("bad", bad);
}

function table(fields) {
  const rows = fields.slice().reverse().map((field) => {
    const row = document.createElement("tr");
    row.dataset.number = field.number;
    row.tabIndex = 0;
    const z = typeof field.z_score === "number" ? field.z_score.toFixed(1) + (field.alarm ? " ⚠" : "") : "";
    for (const text of [field.number, field.name, percent(field.cancer.count_fraction), field.label ?? "", z, field.quality.fit ? "✓" : "✗"]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    const open = () => { freeze(true); show(field.number).catch((error) => state(error.message, true)); };
    row.addEventListener("click", open);
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
    row.classList.toggle("shown", shown !== null && shown.record.number === field.number);
    return row;
  });
  $("fields").replaceChildren(...rows);
}

function sparkline() {
  const points = history.map((share, index) => `${(300 * index) / Math.max(1, history.length - 1)},${58 - 56 * share}`);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.join(" "));
  const axes = [2, 58].map((y) => element("line", { x1: 0, x2: 300, y1: y, y2: y }));
  $("history").replaceChildren(...axes, line);
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function labels(views) {
  const raised = views.filter((view) => view.alarm);
  $("alarm").hidden = raised.length === 0;
  $("alarm").replaceChildren(...raised.flatMap((view) => {
    const text = document.createElement("span");
    text.textContent = `⚠ Alarm: fields of label ${view.label} have ${view.alarm === "above" ? "more" : "less"} cancer than its prior allows`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Seen";
    button.addEventListener("click", async () => { await fetch(`${API}/alarms/${view.label}/acknowledge`, { method: "POST" }); refresh(); });
    return [text, button];
  }));
  if (views.length === 0) return;
  $("labels").replaceChildren(...views.map((view) => {
    const row = document.createElement("div");
    row.className = view.alarm ? "label off" : "label";
    row.dataset.label = view.label;
    const name = document.createElement("span");
    name.textContent = `label ${view.label} (${view.fields})`;
    const wide = 300;
    const svg = element("svg", { viewBox: `-8 0 ${wide + 16} 44`, role: "img" });
    const from = Math.max(0, view.eta - view.rho) * wide;
    const to = Math.min(1, view.eta + view.rho) * wide;
    svg.append(element("line", { class: "axis", x1: 0, x2: wide, y1: 31, y2: 31 }));
    for (const tick of [0, 50, 100]) {
      const text = element("text", { x: (wide * tick) / 100, y: 42 });
      text.textContent = `${tick} %`;
      svg.append(element("line", { class: "axis", x1: (wide * tick) / 100, x2: (wide * tick) / 100, y1: 28, y2: 31 }), text);
    }
    svg.append(element("rect", { class: "prior", x: from, y: 3, width: Math.max(2, to - from), height: 25 }));
    svg.append(element("line", { class: "eta", x1: wide * view.eta, x2: wide * view.eta, y1: 3, y2: 28 }));
    view.points.forEach((point, index) => svg.append(element("circle", { cx: wide * point.count, cy: 6 + ((index * 7) % 20), r: 2 })));
    const x = wide * view.mean;
    svg.append(element("polygon", { class: "mean", points: `${x - 5},15.5 ${x},8 ${x + 5},15.5 ${x},23` }));
    svg.setAttribute("aria-label", `label ${view.label}: predicted ${percent(view.mean)}, prior ${percent(view.eta)} ± ${percent(view.rho)}`);
    const text = document.createElement("span");
    text.className = "quiet";
    text.textContent = `${percent(view.mean)} for ${percent(view.eta, 0)} ± ${percent(view.rho, 0)}${view.alarm ? ` ⚠ ${view.alarm}` : ""}`;
    row.append(name, svg, text);
    return row;
  }));
}

let mosaicOf = 0;
async function mosaic() {
  // Asked for only where there is one.
  if (mosaicOf === latest || !shown || !shown.record.position) return;
  const response = await fetch(`${API}/mosaic`);
  if (!response.ok) return;
  mosaicOf = latest;
  const view = await response.json();
  $("mosaic").hidden = $("mosaic-toggle").hidden = false;
  $("mosaic").src = `${API}/mosaic.png?mask=${$("mosaic-mask").checked}#${latest}`;
  $("mosaic-note").textContent = `${(view.width_um / 1000).toFixed(2)} × ${(view.height_um / 1000).toFixed(2)} mm, ${view.um_per_px.toFixed(1)} µm a pixel`;
}

// The stage

async function stage() {
  const report = await get("/stage").catch(() => null);
  if (!report) return;
  $("stage").disabled = !report.available;
  if (report.available) {
    const place = report.status.position_um.map((um, axis) => `${"xyz"[axis]} ${um === null ? "not homed" : um.toFixed(1)}`).join(", ");
    $("stage-note").textContent = `${report.port}: ${report.status.state}, ${place}${report.status.fault ? `. ⚠ ${report.status.fault}` : ""}`;
  } else {
    $("stage-note").textContent = report.explanation;
  }
}

async function command(body) {
  const response = await fetch(`${API}/stage`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  $("stage-error").hidden = response.ok;
  if (!response.ok) $("stage-error").textContent = `⚠ ${await reason(response)}`;
  stage();
}

// Controls

function thresholdMoved() {
  $("threshold-value").textContent = (Number($("threshold").value) / 100).toFixed(2);
  draw();
}

async function apply() {
  const threshold = Number($("threshold").value) / 100;
  const response = await fetch(`${API}/settings`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ threshold }) });
  state(response.ok ? `threshold ${threshold.toFixed(2)} for new fields` : await reason(response), !response.ok);
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

const toggle = (id) => { $(id).checked = !$(id).checked; draw(); };
const nudge = (by) => { $("threshold").value = Number($("threshold").value) + by; thresholdMoved(); };
const KEYS = {
  " ": () => freeze(!frozen), ArrowLeft: () => step(-1), ArrowRight: () => step(1), m: () => toggle("show-mask"), c: () => toggle("show-contour"),
  "[": () => nudge(-1), "]": () => nudge(1), g: () => $("export-geojson").click(), t: theme, "?": () => $("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  const type = event.target instanceof HTMLInputElement ? event.target.type : "";
  // Numbers are typed, sliders have arrows of their own, and a space presses what is in focus.
  const own = type === "number" || (type === "range" && event.key.startsWith("Arrow")) || (type === "checkbox" && event.key === " ");
  if (event.ctrlKey || event.metaKey || event.altKey || own || !(event.key in KEYS)) return;
  if (event.key === " " && event.target instanceof HTMLButtonElement) return;
  event.preventDefault();
  KEYS[event.key]();
});

$("freeze").addEventListener("click", () => freeze(!frozen));
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
for (const id of ["show-mask", "show-contour"]) $(id).addEventListener("change", draw);
$("opacity").addEventListener("input", () => { $("opacity-value").textContent = `${$("opacity").value} %`; draw(); });
$("threshold").addEventListener("input", thresholdMoved);
$("apply").addEventListener("click", apply);
$("theme").addEventListener("click", theme);
$("help-button").addEventListener("click", () => $("help").showModal());
$("mosaic-mask").addEventListener("change", () => { mosaicOf = 0; mosaic(); });
for (const button of document.querySelectorAll("[data-command]")) button.addEventListener("click", () => command({ command: button.dataset.command }));
for (const button of document.querySelectorAll("[data-by]")) {
  button.addEventListener("click", () => {
    const [x, y] = button.dataset.by.split(",").map((way) => Number(way) * Number($("step").value));
    command({ command: "move", x_um: x || null, y_um: y || null, by: true });
  });
}

async function begin() {
  const [info, settings] = await Promise.all([get("/session"), get("/settings")]);
  $("session").textContent = `${info.device}, ${info.source}, model ${info.model_sha256.slice(0, 8)}, ${info.lsr_edge}`;
  $("threshold").value = Math.round(100 * settings.threshold);
  thresholdMoved();
  if (info.fields > 0) latest = (await get("/fields/latest")).number;
  follow();
  const events = new EventSource(`${API}/events`);
  events.addEventListener("field", (event) => { latest = Math.max(latest, JSON.parse(event.data).number); follow(); });
  events.addEventListener("failed", (event) => { const { name, reason } = JSON.parse(event.data); state(`${name}: ${reason}`, true); });
  events.addEventListener("ended", refresh);
  events.addEventListener("changed", refresh);
  events.onerror = () => state("the service does not answer", true);
  // One after the other: a service that is slow is asked less often.
  const often = async (work, pause) => { await work().catch((error) => state(String(error.message), true)); setTimeout(() => often(work, pause), pause); };
  often(refresh, 1000);
  often(stage, 2000);
}
begin().catch((error) => state(String(error.message), true));
