// The demo on an empty folder as a person sees it: node page.mjs FRESHET CHROMIUM [--shots FOLDER]
// FRESHET_PATIENCE stretches the time limits, for slow builds.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withPalette } from './palette.mjs';
import { ask, faults, openBrowser, openPage, startServer, tabTo } from './served.mjs';

const [freshet, chromium, , shots] = process.argv.slice(2);
const patience = Number(process.env.FRESHET_PATIENCE ?? 1);
const MOVES_WITHIN_MS = 10_000 * patience;
const PROMOTES_WITHIN_MS = 60_000 * patience;
const MOST_PAGE_BYTES = 200_000;
const WIDTHS = [360, 768, 1440];
const HTML = '<img src=x onerror=alert(1)> "quoted" & \'so\'';
const P = 'card-fraud-demo';

const complaints = [];
const say = (...words) => console.log(...words);
const home = mkdtempSync(join(tmpdir(), 'freshet-page-'));
const server = await startServer(freshet, 'demo', '-w', join(home, 'w'),
  '--listen', '127.0.0.1:0');
const after = () => ((Date.now() - server.since) / 1000).toFixed(1);
const browser = await openBrowser(chromium);
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
context.setDefaultTimeout(15_000 * patience);

const page = await opensByItsLink();
await comparisonMoves(page);
await promotesByItself(page);
await rollsBackByKeyboard(page);
await savesPolicy(page);
await showsHostileTextAsText(page);
await fitsEveryWidth(page);
await viewerMayOnlyLook();
await saysThatItIsDisconnected();
await browser.close();
rmSync(home, { recursive: true, force: true });
assert.deepEqual(complaints, []);
say('done');

async function opensByItsLink() {
  const opened = await openPage(context, complaints);
  await opened.goto(server.link);
  await opened.waitForSelector('.card');
  assert.ok(!opened.url().includes('token'), 'the token stays in the address');
  const paint = await opened.evaluate(() =>
    performance.getEntriesByName('first-paint')[0].startTime);
  say(`first paint after ${Math.round(paint)} ms, ${await weight(opened)} bytes without charts`);
  return opened;
}

/// Of all that the page is made of, as it came over the wire.
function weight(opened) {
  return opened.evaluate(() => [...performance.getEntriesByType('navigation'),
    ...performance.getEntriesByType('resource')]
    .filter((e) => !e.name.includes('/api/')).reduce((sum, e) => sum + e.encodedBodySize, 0));
}

function counted(opened) {
  return opened.evaluate(() => [...document.querySelectorAll('.tiles > div')]
    .find((tile) => tile.firstChild.textContent === 'Rows counted')
    ?.children[1].textContent ?? '');
}

async function comparisonMoves(opened) {
  await tabTo(opened, P);
  await opened.keyboard.press('Enter');
  await opened.waitForSelector('h1:text-is("Comparison")');
  while (['', '0'].includes(await counted(opened))) {
    assert.ok(Date.now() - server.since < MOVES_WITHIN_MS, 'the comparison stands still');
    await opened.waitForTimeout(100);
  }
  say(`the comparison moves after ${after()} s`);
  const rows = await counted(opened);
  await opened.waitForFunction((before) => [...document.querySelectorAll('.tiles dd')]
    .every((figure) => figure.textContent !== before), rows);
  await opened.waitForSelector('.chart canvas');
  const bytes = await weight(opened);
  assert.ok(bytes > 10_000 && bytes <= MOST_PAGE_BYTES, `the page weighs ${bytes} bytes`);
  say(`the page with its charts weighs ${bytes} bytes`);
}

async function promotesByItself(opened) {
  await opened.waitForFunction(() => /Promoted \d+@\d+ → \d+@\d+/
    .test(document.getElementById('announce').textContent),
  null, { timeout: PROMOTES_WITHIN_MS - (Date.now() - server.since), polling: 50 });
  say(`a promotion after ${after()} s`);
}

/// A dialog by keyboard: to the button, a reason, Enter on the button that says what it does.
async function command(opened, button, submit, reason) {
  await tabTo(opened, button);
  await opened.keyboard.press('Enter');
  await opened.waitForSelector('dialog textarea');
  await opened.waitForFunction(() => document.activeElement.name === 'reason');
  await opened.keyboard.type(reason);
  const name = await opened.textContent('dialog button[type=submit]');
  assert.match(name, submit);
  await tabTo(opened, name);
  await opened.keyboard.press('Enter');
  await opened.waitForSelector('dialog', { state: 'detached' });
}

async function rollsBackByKeyboard(opened) {
  const late = await openPage(context, complaints, /status of 409/);
  await late.goto(`${server.origin}/#/${P}/decisions`);
  await late.click('text=Roll back…');
  await late.waitForSelector('dialog textarea');
  const before = await ask(server, `/pipelines/${P}`);
  await command(opened, 'Roll back…', /^Roll back to version \d+$/, `too many alarms ${HTML}`);
  await opened.waitForSelector('.banner:has-text("Paused.")');
  const banner = await opened.textContent('.banner');
  assert.ok(banner.includes(`too many alarms ${HTML}`), banner);
  assert.ok(banner.includes('Refresh and automatic promotion wait until resumed'), banner);
  await late.fill('dialog textarea', 'late');
  await late.click('dialog button[type=submit]');
  await late.waitForSelector('dialog .failure:has-text("the champion is version")');
  await late.close();
  await opened.waitForTimeout(2000);
  const paused = await ask(server, `/pipelines/${P}`);
  await opened.waitForTimeout(2000);
  const still = await ask(server, `/pipelines/${P}`);
  assert.equal(paused.status, 'paused');
  assert.equal(paused.rollbacks, before.rollbacks + 1);
  assert.deepEqual(still.champion, paused.champion);
  assert.equal(still.refreshes, paused.refreshes);
  await command(opened, 'Resume…', /^Resume$/, 'looked into it');
  await opened.waitForSelector('.banner', { state: 'detached' });
  assert.equal((await ask(server, `/pipelines/${P}`)).status, 'running');
  say(`rolled back to ${still.champion.revision}, paused, resumed: after ${after()} s`);
}

async function savesPolicy(opened) {
  await opened.goto(`${server.origin}/#/${P}/policy`);
  await opened.waitForSelector('#policy-text');
  const text = await opened.inputValue('#policy-text');
  await opened.fill('#policy-text', text.replace('"margin"', '"margn"'));
  await opened.waitForSelector('.problems:has-text("did you mean")');
  assert.match(await opened.textContent('.problems button'), /^Line \d+, column \d+$/);
  await opened.fill('#policy-text', text);
  await opened.fill('#f-promote-margin', '0.001');
  await opened.waitForSelector('.result td:has-text("takes effect")');
  await opened.fill('.saving textarea', 'a win too small is none');
  await opened.click('.saving button');
  await opened.waitForSelector('.notice:has-text("Saved")');
  const [saved] = (await ask(server, `/pipelines/${P}/decisions?kind=policy`)).items;
  assert.match(saved.reason, /^a win too small is none \(promote\.margin: 0\.0 -> 0\.001\)$/);
}

async function showsHostileTextAsText(opened) {
  const dead = JSON.stringify({ tx_id: `${HTML}\n`, tx_time: '<b>never</b>', amount: 1 });
  const answer = await ask(server, `/pipelines/${P}/events`, `${dead}\n`,
    { 'Content-Type': 'application/x-ndjson' });
  assert.equal(answer.dead_letters, 1);
  await opened.goto(`${server.origin}/#/${P}/stream`);
  await opened.click('.letters summary');
  assert.ok((await opened.textContent('.letters pre')).includes(dead));
  await opened.goto(`${server.origin}/#/${P}/decisions?kind=rolled_back`);
  await opened.waitForSelector('.decisions .why');
  assert.ok((await opened.textContent('.decisions .why')).includes(HTML));
  assert.equal(await opened.locator('main img').count(), 0);
}

async function fitsEveryWidth(opened) {
  const base = `#/${P}`;
  const { items } = await ask(server, `/pipelines/${P}/evaluations`);
  const won = items.find((e) => e.status === 'promote');
  const views = {
    overview: ['#/', '.card'],
    comparison: [`${base}/comparison/${won.evaluation}`, '.chart canvas'],
    versions: [`${base}/versions`, 'tbody'],
    version: [`${base}/versions/${won.candidate}?with=${won.champion}`, 'tbody'],
    decisions: [`${base}/decisions?at=2024-01-20T00:00:00Z`, '.decisions'],
    policy: [`${base}/policy`, '#policy-text'],
    stream: [`${base}/stream`, '.letters'],
    rollback: [`${base}/versions`, 'tbody', 'text=Roll back…'],
  };
  if (shots) mkdirSync(shots, { recursive: true });
  for (const [name, [hash, ready, click]] of Object.entries(views)) {
    await opened.goto(`${server.origin}/${hash}`);
    await opened.waitForSelector(ready);
    if (click) await opened.click(click);
    if (click) await opened.waitForSelector('dialog textarea');
    for (const width of WIDTHS) {
      await opened.setViewportSize({ width, height: width < 500 ? 740 : 900 });
      for (const colorScheme of ['light', 'dark']) {
        await opened.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        const found = await faults(opened);
        complaints.push(...found.map((f) => `${name} ${width} ${colorScheme}: ${f}`));
        if (shots) {
          await opened.screenshot({
            path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: !click,
          });
        }
      }
    }
    if (click) await opened.keyboard.press('Escape');
  }
  if (shots) await shootForReadme(opened, views.comparison);
  say(`${Object.keys(views).length} views in 3 widths, light and dark: ${after()} s`);
}

/// docs/comparison.png: small, as it lies in the repository.
async function shootForReadme(opened, [hash, ready]) {
  await opened.setViewportSize({ width: 720, height: 745 });
  await opened.emulateMedia({ colorScheme: 'light' });
  await opened.goto(`${server.origin}/${hash}`);
  await opened.waitForSelector(ready);
  writeFileSync(join(shots, 'comparison.png'), withPalette(await opened.screenshot()));
}

async function viewerMayOnlyLook() {
  const token = execFileSync(freshet, ['token', 'add', 'watcher', '-w', join(home, 'w')],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  const other = await browser.newContext();
  const opened = await openPage(other, complaints);
  await opened.waitForTimeout(500);
  await opened.goto(`${server.origin}/login?token=${token}`);
  await opened.waitForSelector('.card');
  await opened.goto(`${server.origin}/#/${P}/versions`);
  await opened.waitForSelector('tbody');
  assert.equal(await opened.locator('button').count(), 0);
  await other.close();
}

async function saysThatItIsDisconnected() {
  const opened = await openPage(context, complaints, /ERR_|Failed to load resource/);
  await opened.goto(`${server.origin}/#/${P}/versions`);
  await opened.waitForSelector('tbody');
  await page.close();
  assert.equal(await server.stop(), 0);
  await opened.waitForSelector('.connection:has-text("Disconnected")');
  await opened.waitForSelector('.banner.bad:has-text("Not up to date")');
  assert.ok(await opened.locator('tbody tr').count() > 0, 'what was shown is gone');
  if (shots) await opened.screenshot({ path: join(shots, 'disconnected.png') });
  await opened.close();
}
