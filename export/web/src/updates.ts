/** Which export is in use, and how a later one takes its place. */

import {missingBytes, modelFile} from './domains.js';
import {type Manifest, parseManifest} from './manifest.js';
import {Network} from './network.js';
import {OfflineError, type Store} from './store.js';

export interface Release {
  manifest: Manifest;
  /** What people should know about where it comes from. */
  note: string;
  /** An offered export that was not taken, and that people may insist on. */
  refused?: string;
}

/**
 * The export to use: the server's if it is new, else the installed one.
 *
 * A later export is installed whole or not at all: all domains that are kept
 * here are fetched (by pack, where the base is here) and run once before it
 * replaces the old one. An earlier version is not taken.
 */
export async function newest(store: Store): Promise<Release> {
  const text = await store.installed();
  const old = text === null ? null : readable(text);
  let offered: string;
  try {
    offered = await store.offered();
  } catch (error) {
    if (!old) throw error;
    const note =
        error instanceof OfflineError ? 'offline' : (error as Error).message;
    return {manifest: old, note};
  }
  if (!old) return insist(store, offered);
  if (offered === text) return {manifest: old, note: ''};
  let manifest: Manifest;
  try {
    manifest = parseManifest(offered);
    if (manifest.version < old.version)
      return {
        manifest: old,
        note: `the server offers version ${manifest.version}, which is older`,
        refused: offered,
      };
    await prepare(store, old, manifest);
  } catch (error) {
    const note = `an update was not installed: ${(error as Error).message}`;
    return {manifest: old, note};
  }
  await store.install(offered);
  await store.sweep(manifest.files);
  return {manifest, note: `updated from version ${old.version}`};
}

/** Takes an export whatever was there; what it does not need is removed. */
export async function insist(store: Store, offered: string): Promise<Release> {
  const manifest = parseManifest(offered);
  await store.install(offered);
  await store.sweep(manifest.files);
  return {manifest, note: ''};
}

/** What an older page has installed may be in another format. */
function readable(text: string): Manifest|null {
  try {
    return parseManifest(text);
  } catch {
    return null;
  }
}

/** Fetches and runs what the old export has here, in its new state. */
async function prepare(store: Store, old: Manifest, manifest: Manifest) {
  const [, height, width] = manifest.input.shape;
  for (const name of Object.keys(manifest.domains)) {
    if (!Object.hasOwn(old.domains, name)) continue;
    if (await missingBytes(store, old, name) > 0) continue;
    const file = await modelFile(store, manifest, name);
    const network = await Network.start(file, manifest);
    try {
      await network.scores(name, new Uint8Array(height * width * 3));
    } finally {
      network.delete();
    }
  }
}
