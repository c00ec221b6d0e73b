/** The files of one export: fetched once, kept by their SHA-256, checked. */

import {type Digest, MAX_BYTES} from './manifest.js';
import {checkSignature} from './signature.js';

const MANIFEST = 'manifest.json';
const SIGNATURE = 'manifest.sig';

/** The bytes of a file that are not those of the manifest. */
export class DamagedError extends Error {}

/** No answer: the device is offline, or the server is away. */
export class OfflineError extends Error {}

export class Store {
  /** Bytes of the export that came over the network in this visit. */
  fetched = 0;
  /** Called whenever more have come. */
  onFetched = () => {};

  private constructor(
      private readonly base: URL, private readonly key: string,
      private cache: Cache|null) {}

  /**
   * The store of the export at an URL, which ends in a slash.
   *
   * With a key, only manifests that its owner has signed are let in; what is
   * kept under another key or none is not used.
   *
   * Without the browser's storage (as in some private windows) nothing is
   * kept, and all else works.
   */
  static async open(base: URL, key = ''): Promise<Store> {
    const name = ['keras-mdl export', base, ...(key ? [key] : [])].join(' ');
    const cache = await caches.open(name).catch(() => null);
    return new Store(base, key, cache);
  }

  /** Whether a file is kept. */
  async has(digest: Digest): Promise<boolean> {
    return await this.cache?.match(this.url(digest.sha256)) !== undefined;
  }

  /**
   * The bytes of a file: those that are kept, else fetched, and then kept.
   *
   * Their hash was compared either way: what is returned is what is used.
   */
  async read(path: string, digest: Digest): Promise<Uint8Array<ArrayBuffer>> {
    const key = this.url(digest.sha256);
    const kept = await this.cache?.match(key);
    if (kept) {
      const content = new Uint8Array(await kept.arrayBuffer());
      if (await sha256(content) === digest.sha256) return content;
      await this.cache?.delete(key);
    }
    const content = await this.download(path, digest.bytes);
    await checkSha256(content, digest.sha256, path);
    await this.keep(key, content);
    return content;
  }

  /** The text of the manifest that is installed, or `null`. */
  async installed(): Promise<string|null> {
    return await (await this.cache?.match(this.url(MANIFEST)))?.text() ?? null;
  }

  /** The text of the server's manifest, signed if the page has a key. */
  async offered(): Promise<string> {
    // Asks the server each time; an answer that it has not changed is short.
    const response = await this.get(MANIFEST, 'no-cache');
    const content = await response.arrayBuffer();
    if (content.byteLength > MAX_BYTES)
      throw new Error(`${MANIFEST} has more than ${MAX_BYTES} bytes`);
    const text = new TextDecoder().decode(content);
    if (text === await this.installed()) return text;
    this.count(content.byteLength);
    if (this.key) {
      const signature = await (await this.get(SIGNATURE, 'no-cache'))
          .arrayBuffer();
      this.count(signature.byteLength);
      await checkSignature(this.key, content, signature);
    }
    return text;
  }

  /** From now on this manifest is the installed one. */
  async install(manifest: string): Promise<void> {
    await this.keep(this.url(MANIFEST), manifest);
  }

  /** Removes what no file of the list needs. */
  async sweep(files: Record<string, Digest>): Promise<void> {
    const wanted = new Set(
        Object.values(files).map(d => this.url(d.sha256)));
    for (const {url} of await this.cache?.keys() ?? [])
      if (url !== this.url(MANIFEST) && !wanted.has(url))
        await this.cache?.delete(url);
  }

  private count(bytes: number) {
    this.fetched += bytes;
    this.onFetched();
  }

  private url(name: string): string {
    return new URL(name, this.base).href;
  }

  private async keep(key: string, content: BodyInit): Promise<void> {
    try {
      await this.cache?.put(key, new Response(content));
    } catch (error) {
      console.warn('nothing is kept for the next visit:', error);
      this.cache = null;
    }
  }

  private async get(path: string, cache: RequestCache): Promise<Response> {
    const url = this.url(path);
    let response;
    try {
      response = await fetch(url, {cache});
    } catch {
      throw new OfflineError(
          `${path} cannot be fetched: is the network there?`);
    }
    if (!response.ok)
      throw new Error(`${url}: the server answers ${response.status}`);
    return response;
  }

  private async download(path: string, bytes: number) {
    // Kept here under its hash: the browser's own cache need not have it too.
    const response = await this.get(path, 'no-store');
    const content = new Uint8Array(bytes);
    let received = 0;
    const reader = response.body!.getReader();
    for (;;) {
      const {done, value} = await reader.read();
      if (done) break;
      this.count(value.length);
      if (received + value.length <= bytes) content.set(value, received);
      received += value.length;
      if (received > bytes) await reader.cancel();
    }
    if (received !== bytes)
      throw new DamagedError(
          `${path} is damaged: it should have ${bytes} bytes. ` +
          `Received: ${received} bytes${received > bytes ? ' or more' : ''}`);
    return content;
  }
}

/** Throws a `DamagedError` unless the bytes have this SHA-256. */
export async function checkSha256(
    content: Uint8Array<ArrayBuffer>, expected: string, what: string) {
  const received = await sha256(content);
  if (received !== expected)
    throw new DamagedError(
        `${what} is damaged: its SHA-256 should be ${expected}. ` +
        `Received: ${received}`);
}

/** SHA-256 in hexadecimal digits. */
export async function sha256(content: Uint8Array<ArrayBuffer>) {
  const digest = await crypto.subtle.digest('SHA-256', content);
  return Array.from(
      new Uint8Array(digest), b => b.toString(16).padStart(2, '0')).join('');
}
