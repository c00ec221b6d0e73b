/** Pictures and camera frames as the pixels that a network takes. */

import {centre, type Size} from './resample.js';

// What every browser can hold in a canvas.
const MOST_PIXELS = 16_000_000;

/**
 * Decodes a file as training does: upright (EXIF), without the colour
 * management of the browser; transparency becomes white in `pixels`.
 */
export async function decoded(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
    });
  } catch {
    const name = file instanceof File ? file.name : 'This';
    throw new Error(`${name} is no picture that this browser can read`);
  }
}

/** RGB in 0..255 of the centre of a picture, at the size of the network. */
export function pixels(source: ImageBitmap|HTMLVideoElement, size: Size) {
  let {width, height} = source instanceof HTMLVideoElement ?
      {width: source.videoWidth, height: source.videoHeight} : source;
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  width = Math.max(1, Math.round(width * shrink));
  height = Math.max(1, Math.round(height * shrink));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext(
      '2d', {alpha: false, willReadFrequently: true})!;
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, width, height);
  const {data} = context.getImageData(0, 0, width, height);
  return centre(data, {width, height}, size);
}

/** Draws on a canvas what the network sees. */
export function show(canvas: HTMLCanvasElement, rgb: Uint8Array, size: Size) {
  canvas.width = size.width;
  canvas.height = size.height;
  const image = new ImageData(size.width, size.height);
  for (let i = 0; i < rgb.length / 3; i++) {
    image.data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}
