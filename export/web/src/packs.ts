/** A pack: a file as its difference from a file that is here already. */

import {
  createDCtx,
  decompressUsingDict,
  freeDCtx,
  init,
} from '@bokuweb/zstd-wasm';

import type {Digest} from './manifest.js';
import {checkSha256, DamagedError, sha256} from './store.js';

export const FORMAT = 'keras_mdl.pack/1';
const MAGIC = 'KMDLPACK';
const START = 12;  // magic and the length of the header
const MAX_HEADER = 4096;
let ready: Promise<void>|undefined;

/**
 * The file that a pack describes, if it is the expected one.
 *
 * Its zstd frame has the base as raw dictionary. Both hashes of the header
 * are compared before anything is decompressed, that of the result after it.
 */
export async function applyPack(
    pack: Uint8Array<ArrayBuffer>, base: Uint8Array<ArrayBuffer>,
    expected: Digest, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const {header, frame} = split(pack, what);
  const wanted = {
    base: {sha256: await sha256(base), bytes: base.length},
    result: expected,
  };
  for (const key of ['base', 'result'] as const) {
    const {sha256, bytes} = header[key] ?? {};
    if (sha256 !== wanted[key].sha256 || bytes !== wanted[key].bytes)
      throw new DamagedError(
          `The pack of ${what} is for another ${key}: ${sha256}. ` +
          `Expected: ${wanted[key].sha256}`);
  }
  ready ??= init(new URL('zstd.wasm', document.baseURI).href);
  await ready;
  const context = createDCtx();
  let result;
  try {
    result = decompressUsingDict(context, frame, base);
  } catch (error) {
    throw new DamagedError(
        `The pack of ${what} is damaged: ${(error as Error).message}`);
  } finally {
    freeDCtx(context);
  }
  const own = new Uint8Array(result);
  await checkSha256(own, expected.sha256, `The result of the pack of ${what}`);
  return own;
}

function split(pack: Uint8Array<ArrayBuffer>, what: string) {
  const ascii = new TextDecoder();
  const begins = pack.length >= START &&
      ascii.decode(pack.subarray(0, 8)) === MAGIC;
  const view = new DataView(pack.buffer, pack.byteOffset);
  const length = begins ? view.getUint32(8, true) : 0;
  if (!begins || length > Math.min(MAX_HEADER, pack.length - START))
    throw new DamagedError(`The pack of ${what} does not begin as packs do`);
  const text = ascii.decode(pack.subarray(START, START + length));
  const header: {format?: string, base?: Digest, result?: Digest} =
      JSON.parse(text);
  if (header.format !== FORMAT)
    throw new Error(
        `The pack of ${what} should have the format ${FORMAT}. ` +
        `Received: ${header.format}`);
  return {header, frame: pack.slice(START + length)};
}
