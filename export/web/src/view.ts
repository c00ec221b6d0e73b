/** What the page shows. */

import type {Manifest} from './manifest.js';

export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function bytes(count: number) {
  const [value, unit] = count < 1e3 ? [count, 'B'] :
      count < 1e6 ? [count / 1e3, 'kB'] : [count / 1e6, 'MB'];
  return `${unit === 'MB' ? value.toFixed(2) : Math.round(value)} ${unit}`;
}

export function milliseconds(time: number) {
  return `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
}

export function fact(id: string, text: string) {
  element(id).textContent = text;
}

export function say(text: string) {
  element('status').textContent = text;
}

export function showError(error: unknown) {
  const text = error instanceof Error ? error.message : String(error);
  element('error').textContent = text;
  element('error').hidden = !text;
}

/** A radio button for each domain, in the manifest's order. */
export function showDomains(
    manifest: Manifest, chosen: string, choose: (name: string) => void) {
  element('domains').replaceChildren(
      ...Object.entries(manifest.domains).map(([name, {classes}]) => {
        const label = document.createElement('label');
        const input = document.createElement('input');
        input.type = 'radio';
        input.name = 'domain';
        input.value = name;
        input.checked = name === chosen;
        input.addEventListener('change', () => choose(name));
        const count = document.createElement('small');
        count.textContent = `${classes.length} classes`;
        label.append(input, name, count);
        return label;
      }));
}

/** The best classes, each with its bar. */
export function showScores(scores: [string, number][]) {
  element('scores').replaceChildren(...scores.map(([label, score]) => {
    const row = document.createElement('li');
    const name = document.createElement('span');
    name.textContent = label;
    const bar = document.createElement('meter');
    bar.value = score;
    bar.setAttribute('aria-hidden', 'true');
    const number = document.createElement('span');
    number.textContent = `${(100 * score).toFixed(1)} %`;
    row.append(name, bar, number);
    return row;
  }));
}
