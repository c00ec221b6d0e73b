/**
 * Antialiased bilinear shrinking, bit for bit as Pillow does it (its
 * src/libImaging/Resample.c, filter BILINEAR, 8 bits): what training saw.
 */

const BITS = 22;  // of the fixed-point weights

export interface Size {
  height: number;
  width: number;
}

interface Weights {
  /** First pixel that counts, for each new one. */
  first: Int32Array;
  count: Int32Array;
  /** `length` weights for each new pixel. */
  values: Int32Array;
  length: number;
}

/**
 * The centre of a picture at the size of the network.
 *
 * The picture is scaled until it just covers `to`, its longer side rounded
 * down, and cut to its centre: `keras_mdl.data.Preprocess.default`.
 *
 * @param rgba Pixels, row by row; the fourth value is not looked at.
 * @returns RGB, row by row.
 */
export function centre(
    rgba: Uint8ClampedArray, from: Size, to: Size): Uint8Array<ArrayBuffer> {
  const across = to.width * from.height >= to.height * from.width;
  const whole = across ?
      {width: to.width,
       height: Math.floor(to.width * from.height / from.width)} :
      {width: Math.floor(to.height * from.width / from.height),
       height: to.height};
  const left = (whole.width - to.width) >> 1;
  const top = (whole.height - to.height) >> 1;
  const columns = weights(from.width, whole.width, left, to.width);
  const rows = weights(from.height, whole.height, top, to.height);
  // Rows first shrink; then, of those that count, columns.
  const low = rows.first[0]!;
  const high = rows.first[to.height - 1]! + rows.count[to.height - 1]!;
  const narrow = new Uint8Array((high - low) * to.width * 3);
  for (let y = low; y < high; y++)
    for (let x = 0; x < to.width; x++)
      for (let c = 0; c < 3; c++)
        narrow[((y - low) * to.width + x) * 3 + c] =
            weighted(rgba, (y * from.width + columns.first[x]!) * 4 + c, 4,
                columns, x);
  const result = new Uint8Array(to.height * to.width * 3);
  const stride = to.width * 3;
  for (let y = 0; y < to.height; y++)
    for (let i = 0; i < stride; i++)
      result[y * stride + i] = weighted(
          narrow, (rows.first[y]! - low) * stride + i, stride, rows, y);
  return result;
}

function weighted(
    pixels: Uint8Array|Uint8ClampedArray, start: number, step: number,
    {count, values, length}: Weights, at: number) {
  let sum = 1 << (BITS - 1);
  for (let i = 0; i < count[at]!; i++)
    sum += pixels[start + i * step]! * values[at * length + i]!;
  return Math.min(sum >> BITS, 255);
}

/** Of new pixels `start` to `start + number` the weights of the old ones. */
function weights(
    before: number, after: number, start: number, number: number): Weights {
  const scale = before / after;
  const support = Math.max(scale, 1);
  const length = Math.ceil(support) * 2 + 1;
  const found = {
    first: new Int32Array(number),
    count: new Int32Array(number),
    values: new Int32Array(number * length),
    length,
  };
  for (let n = 0; n < number; n++) {
    const middle = (start + n + 0.5) * scale;
    const first = Math.max(Math.trunc(middle - support + 0.5), 0);
    const end = Math.min(Math.trunc(middle + support + 0.5), before);
    const exact = Array.from({length: end - first}, (_, i) =>
        Math.max(1 - Math.abs((i + first - middle + 0.5) / support), 0));
    let sum = 0;
    for (const value of exact) sum += value;
    found.first[n] = first;
    found.count[n] = exact.length;
    exact.forEach((value, i) => {
      found.values[n * length + i] =
          Math.trunc(0.5 + value / sum * (1 << BITS));
    });
  }
  return found;
}
