/**
 * `manifest.json` of an export: its types, and the check of what is used.
 *
 * The format is that of keras_mdl_export/manifest_schema.py.
 */

export const FORMAT = 'keras_mdl.export/2';
export const MAX_BYTES = 2 * 1024 * 1024;
export const TRUNK = 'parts/trunk.bin';

export interface Digest {
  sha256: string;
  bytes: number;
}

export interface Kernel {
  layer: string;
  shape: number[];
  dtype: string;
  offset: number;
  bytes: number;
}

export interface Sharing {
  shared_bytes?: number;
  trunk_bytes?: number;
  fraction?: number;
  /** Why a layer is not shared, by its name. */
  unshared?: Record<string, string>;
}

/** How coarse a domain's own numbers are, where they were made coarser. */
export interface PrivateBits {
  name: string;
  kernels: number;
  depthwise: number | null;
  mantissa: number;
  images: number;
  lost: number;
}

export interface Domain {
  /** Names, in the order of the scores. */
  classes: string[];
  mean: [number, number, number];
  std: [number, number, number];
  files: {model?: string; prefix?: string; labels?: string; pack?: string};
  /** Of the complete file, in whatever form it travels. */
  complete: Digest;
  /** Path of the file that the pack is based on. */
  pack_base?: string;
  sharing?: Sharing;
  private_bits?: PrivateBits;
  verification?: Record<string, number | null>;
}

/** The network that says which domain an image is of, where there is one. */
export interface Router {
  layer: string;
  /** Part of a domain's own images that is taken for none. */
  rejected: number;
  /** In the order of the outputs; an image below the threshold is none. */
  scores: {name: string; threshold: number}[];
  files: {model?: string; prefix?: string; pack?: string};
  complete: Digest;
  pack_base?: string;
  verification?: Record<string, number | null>;
}

export interface Manifest {
  format: typeof FORMAT;
  /** Of the export: a later one replaces an earlier one. */
  version: number;
  created_with: Record<string, string>;
  mode: string;
  /** The first TensorFlow Lite that runs every file. */
  runtime: string;
  input: {shape: [1, number, number, 3]; dtype: 'uint8' | 'float32'};
  output: 'probabilities' | 'logits';
  trunk: Digest & {kernels: Kernel[]};
  files: Record<string, Digest>;
  domains: Record<string, Domain>;
  bundle: string | null;
  router?: Router;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const PART = '[A-Za-z0-9][A-Za-z0-9_.-]{0,127}';
// No part begins with a dot: a path leads nowhere but into the folder.
const PATH = new RegExp(`^${PART}(/${PART}){0,7}$`);
const SHA256 = /^[0-9a-f]{64}$/;
const MAX_FILE = 2 ** 30;
const MAX_SIDE = 4096;

/**
 * The manifest in a text; throws an `Error` that names what is wrong.
 *
 * What the page uses is checked here; Python's loader checks every field.
 */
export function parseManifest(text: string): Manifest {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`manifest.json is no JSON: ${(error as Error).message}`);
  }
  need(isRecord(value), '', 'an object');
  const m = value as unknown as Manifest;
  need(m.format === FORMAT, 'format', FORMAT);
  need(isInteger(m.version, 1, Number.MAX_SAFE_INTEGER), 'version', 'from 1');
  const shape = m.input?.shape;
  need(
      Array.isArray(shape) && shape.length === 4 && shape[0] === 1 &&
          isInteger(shape[1], 1, MAX_SIDE) &&
          isInteger(shape[2], 1, MAX_SIDE) && shape[3] === 3,
      'input.shape', '[1, height, width, 3]');
  need(
      m.input.dtype === 'uint8' || m.input.dtype === 'float32', 'input.dtype',
      'uint8 or float32');
  need(
      m.output === 'probabilities' || m.output === 'logits', 'output',
      'probabilities or logits');
  need(isRecord(m.files), 'files', 'an object');
  for (const [path, digest] of Object.entries(m.files)) {
    need(PATH.test(path), `files.${path}`, 'a relative path of plain names');
    needDigest(digest, `files.${path}`);
  }
  const listed = (path: unknown, where: string) => need(
      path == null || typeof path === 'string' && Object.hasOwn(m.files, path),
      where, 'one of `files`');
  need(isRecord(m.domains), 'domains', 'an object');
  need(Object.keys(m.domains).length > 0, 'domains', 'at least one');
  for (const [name, domain] of Object.entries(m.domains)) {
    const where = `domains.${name}`;
    need(NAME.test(name), where, 'a plain name');
    need(
        Array.isArray(domain?.classes) && domain.classes.length >= 2 &&
            domain.classes.every(c => typeof c === 'string'),
        `${where}.classes`, 'two names or more');
    needDigest(domain.complete, `${where}.complete`);
    need(isRecord(domain.files), `${where}.files`, 'an object');
    for (const [role, path] of Object.entries(domain.files))
      listed(path, `${where}.files.${role}`);
    listed(domain.pack_base, `${where}.pack_base`);
  }
  listed(m.bundle, 'bundle');
  return m;
}

function needDigest(value: Digest, where: string) {
  need(
      isRecord(value) && typeof value.sha256 === 'string' &&
          SHA256.test(value.sha256) && isInteger(value.bytes, 0, MAX_FILE),
      where, 'a SHA-256 and a size');
}

function need(condition: boolean, where: string, expected: string) {
  if (!condition)
    throw new Error(
        `manifest.json is not valid: ${where || 'it'} should be ${expected}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown, low: number, high: number) {
  return Number.isSafeInteger(value) && (value as number) >= low &&
      (value as number) <= high;
}
