/** A domain's network on LiteRT.js. */

import {
  type CompiledModel,
  loadAndCompile,
  loadLiteRt,
  Tensor,
} from '@litertjs/core';

import type {ModelFile} from './domains.js';
import type {Manifest} from './manifest.js';

// The build without relaxed SIMD: every browser has it, and it computes the
// same everywhere.
const RUNTIME = 'litert/litert_wasm_compat_internal.js';
let started: Promise<unknown>|undefined;

export class Network {
  private constructor(
      private readonly model: CompiledModel, readonly sha256: string,
      private readonly manifest: Manifest) {}

  /** Starts a file; its bytes have been checked. */
  static async start(file: ModelFile, manifest: Manifest): Promise<Network> {
    started ??= loadLiteRt(new URL(RUNTIME, document.baseURI).href);
    await started;
    const model = await loadAndCompile(file.content, {accelerator: 'wasm'});
    return new Network(model, file.sha256, manifest);
  }

  /**
   * The scores of an image, one for each class.
   *
   * @param name The domain: the name of its signature in the file.
   * @param rgb 0..255, row by row; the network normalises.
   */
  async scores(name: string, rgb: Uint8Array<ArrayBuffer>) {
    const {signatures} = this.model;
    if (!Object.hasOwn(signatures, name))
      throw new Error(
          `The file holds the networks ${Object.keys(signatures)}. ` +
          `Expected: ${name}`);
    const {shape, dtype} = this.manifest.input;
    const input = new Tensor(
        dtype === 'uint8' ? rgb : Float32Array.from(rgb), shape);
    try {
      const [output] = await this.model.run(name, [input]);
      const scores = Float32Array.from(await output!.data());
      output!.delete();
      const {classes} = this.manifest.domains[name]!;
      if (scores.length !== classes.length)
        throw new Error(
            `The network of ${name} has ${scores.length} scores. ` +
            `Expected: ${classes.length}`);
      return scores;
    } finally {
      input.delete();
    }
  }

  /** Memory of the wasm module is freed by hand. */
  delete() {
    this.model.delete();
  }
}

/** The highest scores first, as `[class, probability]`. */
export function top(
    scores: Float32Array, manifest: Manifest, name: string, count: number) {
  const values = manifest.output === 'logits' ? softmax(scores) : scores;
  const {classes} = manifest.domains[name]!;
  return classes.map((label, i): [string, number] => [label, values[i]!])
      .sort((a, b) => b[1] - a[1])
      .slice(0, count);
}

function softmax(logits: Float32Array) {
  const high = Math.max(...logits);
  const powers = logits.map(x => Math.exp(x - high));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map(x => x / sum);
}
