// A freshet that serves, and a browser that looks at it.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/// {link, origin, token, since, stop()}: `since` is when it began to listen.
export async function startServer(freshet, ...args) {
  const child = spawn(freshet, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = new Promise((done) => child.once('exit', (code) => done(code)));
  let text = '';
  const link = await new Promise((found, failed) => {
    child.stdout.on('data', (bytes) => {
      text += bytes;
      const match = text.match(/^open (\S+)$/m);
      if (match) found(match[1]);
    });
    ended.then((code) => failed(new Error(`freshet ended with ${code}: ${text}`)));
  });
  const { origin, searchParams } = new URL(link);
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { link, origin, token: searchParams.get('token'), since: Date.now(), stop };
}

/// Asks the API as a program does.
export async function ask(server, path, body, headers = {}) {
  const answer = await fetch(`${server.origin}/api/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST', body,
    headers: { Authorization: `Bearer ${server.token}`, ...headers },
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export function openBrowser(executablePath) {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}

/// A page whose complaints end in `complaints`: console errors and warnings, uncaught errors,
/// dialogs, and violations of the CSP; `expected` (a RegExp) are none.
export async function openPage(context, complaints, expected = null) {
  const page = await context.newPage();
  const complain = (text) => {
    if (!expected?.test(text)) complaints.push(`${page.url()}: ${text}`);
  };
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(message.text());
  });
  page.on('pageerror', (error) => complain(error.stack));
  page.on('dialog', (dialog) => {
    complain(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}

/// What axe-core finds, and whether the page scrolls sideways: texts.
export async function faults(page) {
  if (!await page.evaluate(() => Boolean(globalThis.axe))) await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    const root = document.documentElement;
    const list = violations.map((v) =>
      `axe ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 150)).join(' | ')}`);
    if (root.scrollWidth > root.clientWidth) {
      list.push(`scrolls sideways by ${root.scrollWidth - root.clientWidth} px`);
    }
    return list;
  });
}

/// Presses Tab until the element that has the focus has this text, then returns; by keyboard only.
export async function tabTo(page, text) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => document.activeElement?.textContent.trim());
    if (focused === text) return;
  }
  throw new Error(`Tab never reached "${text}"`);
}
