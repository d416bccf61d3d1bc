// Uses the page of lsr-edge as a person would, in Chromium: node page.mjs CHROMIUM LINK FOLDER
// LINK has the token (http://ADDRESS/?token=TOKEN), FOLDER gets screenshots and what was exported. Ends with 0 where all is as it should be.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, link, folder] = process.argv.slice(2);
const origin = new URL(link).origin;
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args });
const patience = { timeout: 30_000 };

async function tab(options) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, ...options });
  const page = await context.newPage();
  const seen = { foreign: [], errors: [] };
  page.on("request", (request) => { if (!request.url().startsWith(origin) && !request.url().startsWith("blob:")) seen.foreign.push(request.url()); });
  page.on("console", (message) => { if (message.type() === "error") seen.errors.push(message.text()); });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  return { context, page, seen };
}

const number = (page) => page.locator("#field").evaluate((canvas) => Number(canvas.dataset.number ?? 0));
const maskPixels = (page) => page.locator("#field").evaluate((canvas) => Number(canvas.dataset.maskPixels));
const pixels = async (page) => createHash("sha256").update(await page.locator("#field").evaluate((canvas) => canvas.toDataURL())).digest("hex");
const until = (page, wished, argument) => page.waitForFunction(wished, argument, patience);

async function withoutToken() {
  const { context, page } = await tab();
  for (const path of ["/", "/api/v1/fields/latest", "/metrics"]) {
    const answer = await page.goto(origin + path);
    assert.equal(answer.status(), 401, path);
    const text = await page.content();
    for (const secret of ["session", "Cancer", "sha256", "canvas"]) assert(!text.includes(secret), `${path} tells ${secret}`);
  }
  await context.close();
}

async function asAPerson() {
  const { context, page, seen } = await tab({ colorScheme: "light", acceptDownloads: true });
  const answer = await page.goto(link);
  assert.equal(answer.status(), 200);
  assert.equal(page.url(), `${origin}/`, "the token does not stay in the address");

  // Fields arrive.
  await until(page, () => Number(document.getElementById("field").dataset.number ?? 0) >= 2);
  const first = await number(page);
  await until(page, (first) => Number(document.getElementById("field").dataset.number) > first, first);

  // A stream of fields with a wrong label raises an alarm, in words.
  await page.locator("#alarm").waitFor(patience);
  assert.match(await page.locator("#alarm").innerText(), /Alarm: fields of label 0 have more cancer than its prior allows/);
  assert.match(await page.locator("[data-label='0']").innerText(), /label 0/);

  // One that has both classes, frozen.
  await page.keyboard.press(" ");
  assert.equal(await page.locator("#freeze").getAttribute("aria-pressed"), "true");
  const sides = await page.locator("#field").evaluate((canvas) => canvas.width * canvas.height);
  for (let tries = 0; tries < 12; tries++) {
    const share = (await maskPixels(page)) / sides;
    if (share > 0.15 && share < 0.85) break;
    const before = await number(page);
    await page.keyboard.press("ArrowLeft");
    await until(page, (before) => Number(document.getElementById("field").dataset.number) !== before, before);
  }

  // The threshold moves the mask.
  const [held, before] = [await maskPixels(page), await pixels(page)];
  await page.locator("#threshold").fill("95");
  const [fewer, after] = [await maskPixels(page), await pixels(page)];
  assert(fewer < held && before !== after, `${held} ${fewer}`);
  await page.locator("#threshold").fill("5");
  assert((await maskPixels(page)) > held);
  await page.locator("#threshold").fill("50");
  assert.equal(await pixels(page), before, "and back");
  await page.locator("body").press("m");
  const contourOnly = await pixels(page);
  assert.notEqual(contourOnly, before);
  await page.locator("body").press("c");
  assert.notEqual(await pixels(page), contourOnly);
  await page.locator("body").press("m");
  await page.locator("body").press("c");
  assert.equal(await pixels(page), before);

  // Exports.
  const shown = await number(page);
  const download = page.waitForEvent("download", patience);
  await page.locator("#export-geojson").click();
  const file = join(folder, "field.geojson");
  await (await download).saveAs(file);
  const regions = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(regions.type, "FeatureCollection");
  assert(regions.features.length > 0 && regions.features[0].geometry.type === "Polygon");
  assert.equal((await download).suggestedFilename(), `field-${String(shown).padStart(6, "0")}.geojson`);

  // The mosaic has grown; without a stage its controls are off, and say why.
  await page.locator("#mosaic").waitFor(patience);
  await until(page, () => document.getElementById("mosaic").naturalWidth > 60);
  assert(await page.locator("[data-command='home']").isDisabled());
  assert.match(await page.locator("#stage-note").innerText(), /there is no stage/);

  // Settings hold for new fields, and are the page's after a reload.
  await page.locator("#threshold").fill("40");
  const applied = page.waitForResponse((response) => response.url().endsWith("/api/v1/settings"), patience);
  await page.locator("#apply").click();
  assert.equal((await applied).status(), 200);
  await page.locator("#threshold").fill("50");
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(folder, "page-light.png"), fullPage: true });
  await page.locator("body").press("t");
  await page.screenshot({ path: join(folder, "page-dark.png"), fullPage: true });
  const colour = (selector) => page.locator(selector).evaluate((element) => getComputedStyle(element).backgroundColor);
  assert.match(await colour("body"), /rgb\((1|2|3)?\d, /, "dark");

  // The person has seen the alarm.
  const seenIt = page.waitForResponse((response) => response.url().includes("/alarms/0/acknowledge"), patience);
  await page.locator("#alarm button").click();
  assert.equal((await seenIt).status(), 204);
  await page.locator("body").press("?");
  assert(await page.locator("#help").isVisible());
  await page.keyboard.press("Escape");

  assert.deepEqual(seen, { foreign: [], errors: [] });
  await context.close();
}

async function onATablet() {
  const { context, page, seen } = await tab({ viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true });
  await page.goto(link);
  await until(page, () => Number(document.getElementById("field").dataset.number ?? 0) >= 1);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert(wide <= 0, `${wide} px are beyond the side`);
  await page.locator("#freeze").tap();
  assert.equal(await page.locator("#freeze").getAttribute("aria-pressed"), "true");
  assert.equal(await page.locator("#threshold").inputValue(), "40");
  await page.screenshot({ path: join(folder, "page-tablet.png"), fullPage: true });
  assert.deepEqual(seen, { foreign: [], errors: [] });
  await context.close();
}

try {
  await withoutToken();
  await asAPerson();
  await onATablet();
  console.log("the page does what it should");
} finally {
  await browser.close();
}
