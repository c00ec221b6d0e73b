/** How a domain's file is put together from the least that is not here yet. */

import {type Manifest, TRUNK} from './manifest.js';
import {applyPack} from './packs.js';
import {checkSha256, type Store} from './store.js';

type Form = 'packs'|'parts'|'models'|'bundle';

interface Route {
  form: Form;
  files: string[];
}

export interface ModelFile {
  content: Uint8Array<ArrayBuffer>;
  sha256: string;
  form: Form;
}

/** The ways in which an export has a domain; packs are smallest. */
function routes(manifest: Manifest, name: string): Route[] {
  const {files, pack_base} = manifest.domains[name]!;
  const trunk = Object.hasOwn(manifest.files, TRUNK) ? TRUNK : undefined;
  const all: [Form, (string|null|undefined)[]][] = [
    ['packs', [files.pack, pack_base]],
    ['parts', [files.prefix, trunk, ...(files.labels ? [files.labels] : [])]],
    ['models', [files.model]],
    ['bundle', [manifest.bundle]],
  ];
  return all.filter(([, paths]) => paths.every(p => p != null))
      .map(([form, paths]) => ({form, files: paths as string[]}));
}

/** The bytes that a domain would cost now, and by which route. */
async function cheapest(store: Store, manifest: Manifest, name: string) {
  let best: {route: Route, bytes: number}|undefined;
  for (const route of routes(manifest, name)) {
    let bytes = 0;
    for (const path of route.files) {
      const digest = manifest.files[path]!;
      if (!await store.has(digest)) bytes += digest.bytes;
    }
    if (!best || bytes < best.bytes) best = {route, bytes};
  }
  if (!best) throw new Error(`The export has no file of ${name}`);
  return best;
}

/** How many bytes of a domain are still to be fetched. */
export async function missingBytes(
    store: Store, manifest: Manifest, name: string): Promise<number> {
  return (await cheapest(store, manifest, name)).bytes;
}

/** The file that LiteRT runs for a domain; every hash was compared. */
export async function modelFile(
    store: Store, manifest: Manifest, name: string): Promise<ModelFile> {
  const {route: {form, files}} = await cheapest(store, manifest, name);
  const contents = await Promise.all(
      files.map(path => store.read(path, manifest.files[path]!)));
  if (form === 'bundle') {
    const {sha256} = manifest.files[files[0]!]!;
    return {content: contents[0]!, sha256, form};
  }
  const {complete} = manifest.domains[name]!;
  if (form === 'packs') {
    const content =
        await applyPack(contents[0]!, contents[1]!, complete, name);
    return {content, sha256: complete.sha256, form};
  }
  const content = new Uint8Array(await new Blob(contents).arrayBuffer());
  await checkSha256(content, complete.sha256, `The file of ${name}`);
  return {content, sha256: complete.sha256, form};
}
