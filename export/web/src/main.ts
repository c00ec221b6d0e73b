/** The page: an export, a domain of it, a picture, and its classes. */

import {Camera} from './camera.js';
import {missingBytes, modelFile} from './domains.js';
import {Network, top} from './network.js';
import {decoded, pixels, show} from './picture.js';
import {pinnedKey} from './signature.js';
import {Store} from './store.js';
import {insist, newest, type Release} from './updates.js';
import * as view from './view.js';

const SHOWN = 5;
const element = view.element;

class Page {
  private domain = '';
  private network: Network|null = null;
  private picture: ImageBitmap|null = null;
  private readonly camera = new Camera(element<HTMLVideoElement>('video'));
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly store: Store, private release: Release) {
    store.onFetched = () =>
        view.fact('fetched', view.bytes(store.fetched));
    this.use(release);
  }

  get manifest() {
    return this.release.manifest;
  }

  /** Shows an export, and starts the domain that was chosen before. */
  use(release: Release) {
    this.release = release;
    this.network?.delete();
    this.network = null;
    const names = Object.keys(this.manifest.domains);
    if (!names.includes(this.domain)) this.domain = names[0]!;
    view.showDomains(
        this.manifest, this.domain, name => this.does(() => this.choose(name)));
    const {version, mode} = this.manifest;
    view.fact('version', `${version} (${mode})`);
    view.fact('note', release.note);
    element('insist').hidden = !release.refused;
    return this.does(() => this.choose(this.domain));
  }

  /** One thing after the other; what goes wrong is shown. */
  does(task: () => Promise<void>): Promise<void> {
    const done: Promise<void> = this.last.then(async () => {
      try {
        view.showError('');
        await task();
      } catch (error) {
        console.error(error);
        view.showError(error);
      }
      if (this.last === done)  // else the task has asked for more
        document.body.dataset.ready = String(performance.now());
    });
    this.last = done;
    delete document.body.dataset.ready;
    return done;
  }

  async choose(name: string) {
    view.say(`fetching ${name} ...`);
    view.showScores([]);
    this.domain = name;
    const before = this.store.fetched;
    const start = performance.now();
    try {
      const file = await modelFile(this.store, this.manifest, name);
      if (this.network?.sha256 !== file.sha256) {
        this.network?.delete();
        this.network = null;
        this.network = await Network.start(file, this.manifest);
      }
      await this.scores(this.blank());  // the first run prepares the weights
      const time = view.milliseconds(performance.now() - start);
      const fetched = view.bytes(this.store.fetched - before);
      view.fact('switch', `${time}, ${fetched} fetched`);
      view.fact('form', file.form);
    } catch (error) {
      view.say(`${name} is not there`);
      this.network?.delete();
      this.network = null;
      throw error;
    }
    view.say(this.picture || this.camera.on ? '' : 'Ready for a picture.');
    await this.offerToKeep();
    await this.classify();
  }

  async open(file: Blob) {
    const picture = await decoded(file);
    this.stopCamera();
    this.picture?.close();
    this.picture = picture;
    await this.classify();
  }

  /** The classes of the picture, or of the camera's frame. */
  async classify() {
    const source = this.camera.on ? element<HTMLVideoElement>('video') :
        this.picture;
    if (!source || !this.network) return;
    const start = performance.now();
    const rgb = pixels(source, this.size());
    const prepared = performance.now();
    const scores = await this.scores(rgb);
    const end = performance.now();
    view.fact(
        'time', `${view.milliseconds(end - prepared)}, and ` +
            `${view.milliseconds(prepared - start)} to shrink it`);
    show(element<HTMLCanvasElement>('seen'), rgb, this.size());
    element('drop').classList.add('filled');
    view.say('');
    view.showScores(top(scores, this.manifest, this.domain, SHOWN));
  }

  async toggleCamera() {
    if (this.camera.on) return this.stopCamera();
    await this.camera.start();
    element('camera').textContent = 'Stop';
    element('drop').classList.add('live');
    element('scores').ariaLive = 'off';  // not every frame
    const frame = () => {
      if (!this.camera.on) return;
      void this.does(() => this.classify())
          .then(() => requestAnimationFrame(frame));
    };
    frame();
  }

  async keepAll() {
    for (const name of Object.keys(this.manifest.domains)) {
      view.say(`fetching ${name} ...`);
      await modelFile(this.store, this.manifest, name);
    }
    await navigator.storage?.persist?.();  // some browsers ask for it
    view.say('All domains work offline now.');
    await this.offerToKeep();
  }

  async lookForUpdate() {
    view.say('looking ...');
    const release = await newest(this.store);
    view.say('');
    const text = release.note || 'this is the newest';
    if (release.manifest.version === this.manifest.version &&
        JSON.stringify(release.manifest) === JSON.stringify(this.manifest)) {
      this.release = release;
      view.fact('note', text);
      element('insist').hidden = !release.refused;
    } else {
      void this.use(release);
    }
  }

  async insist() {
    const {refused} = this.release;
    if (refused) void this.use(await insist(this.store, refused));
  }

  private stopCamera() {
    if (!this.camera.on) return;
    this.camera.stop();
    element('camera').textContent = 'Camera';
    element('drop').classList.remove('live');
    element('scores').ariaLive = 'polite';
  }

  private scores(rgb: Uint8Array<ArrayBuffer>) {
    return this.network!.scores(this.domain, rgb);
  }

  private size() {
    const [, height, width] = this.manifest.input.shape;
    return {height, width};
  }

  private blank() {
    const {height, width} = this.size();
    return new Uint8Array(height * width * 3);
  }

  /** Offers to keep all domains while some are not. */
  private async offerToKeep() {
    const {store, manifest} = this;
    const missing = await Promise.all(
        Object.keys(manifest.domains)
            .map(name => missingBytes(store, manifest, name)));
    element('keep').hidden = missing.every(bytes => bytes === 0);
  }
}

function listen(page: Page) {
  const file = element<HTMLInputElement>('file');
  const openAll = (files: FileList|null|undefined) => {
    const first = files?.[0];
    if (first) void page.does(() => page.open(first));
  };
  file.addEventListener('change', () => {
    openAll(file.files);
    file.value = '';  // the same file may be chosen again
  });
  element('camera').addEventListener(
      'click', () => page.does(() => page.toggleCamera()));
  element('keep').addEventListener(
      'click', () => page.does(() => page.keepAll()));
  element('update').addEventListener(
      'click', () => page.does(() => page.lookForUpdate()));
  element('insist').addEventListener(
      'click', () => page.does(() => page.insist()));
  const {body} = document;
  body.addEventListener('dragover', event => {
    event.preventDefault();
    body.classList.add('over');
  });
  body.addEventListener('dragleave', event => {
    if (!event.relatedTarget) body.classList.remove('over');
  });
  body.addEventListener('drop', event => {
    event.preventDefault();
    body.classList.remove('over');
    openAll(event.dataTransfer?.files);
  });
  document.addEventListener(
      'paste', event => openAll(event.clipboardData?.files));
}

/** The export's folder: `?export=...` of the page's address, or `export/`. */
function exportUrl(): URL {
  const named = new URLSearchParams(location.search).get('export') ?? 'export';
  const url = new URL(`${named.replace(/\/+$/, '')}/`, document.baseURI);
  if (url.origin !== location.origin)
    throw new Error(`An export is on the page's own server. Received: ${url}`);
  return url;
}

async function main() {
  if (!isSecureContext)
    throw new Error(
        'Browsers check hashes and give a camera only to pages from https:// ' +
        `or http://localhost. This one comes from ${location.origin}`);
  void navigator.serviceWorker?.register('sw.js').catch(console.warn);
  const store = await Store.open(exportUrl(), pinnedKey());
  const page = new Page(store, await newest(store));
  listen(page);
}

main().catch(error => {
  console.error(error);
  view.say('');
  view.showError(error);
  document.body.dataset.ready = 'failed';
});
