"""The part of `USAGE.md` for browsers, with places to fill in: `@DOMAIN@`.

Names of the APIs are from the type declarations of the npm packages in the
versions that the text gives.
"""

MODEL_ENTRY = """\
  "@NAME@": {
    sha256: "@SHA256@",
    parts: [@PARTS@],
  },"""

START = """\
## Browser (JavaScript)

Written for the npm packages `@litertjs/core` 2.5.3 and
`@mediapipe/tasks-vision` 1.1.0, from their type declarations and
documentation. **Our tests do not run these lines.** Each package has a folder
`wasm` that your server has to serve.
"""

MEDIAPIPE = """\
### MediaPipe Tasks: the short way (JavaScript)

```js
import {FilesetResolver, ImageClassifier} from '@mediapipe/tasks-vision';

const vision = await FilesetResolver.forVisionTasks('/mediapipe/wasm');
const classifier = await ImageClassifier.createFromOptions(vision, {
  baseOptions: {modelAssetPath: '@MODEL@'},
  maxResults: 3,
});
const {classifications} = classifier.classify(imageElement);
for (const {categoryName, score} of classifications[0].categories)
  console.log(categoryName, score);
```
"""

LITERT = """\
### LiteRT.js (JavaScript)

```js
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

await loadLiteRt('/litert/wasm/');

// RGB of the centre in @RANGE@, row by row; the network normalises.
async function pixels(image) {
  const bitmap = await createImageBitmap(image);
  const scale = Math.min(bitmap.width / @WIDTH@, bitmap.height / @HEIGHT@);
  const width = @WIDTH@ * scale, height = @HEIGHT@ * scale;
  const context = new OffscreenCanvas(@WIDTH@, @HEIGHT@).getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(
      bitmap, (bitmap.width - width) / 2, (bitmap.height - height) / 2,
      width, height, 0, 0, @WIDTH@, @HEIGHT@);
  const rgba = context.getImageData(0, 0, @WIDTH@, @HEIGHT@).data;
  return @JS_ARRAY@.from(rgba.filter((_, i) => i % 4 < 3));
}

// One score per class, in the order of `classes` in manifest.json.
async function scores(network, image) {
  const input = new Tensor(await pixels(image), [1, @HEIGHT@, @WIDTH@, 3]);
  const [output] = await network.run([input]);
  const values = Float32Array.from(await output.data());
  input.delete();  // memory of the wasm module is freed by hand
  output.delete();
  return values;
}
```
"""

MODELS = """\
```js
const network = await loadAndCompile('@MODEL@', {accelerator: 'wasm'});
```
"""

PARTS = """\
### One trunk, many domains (JavaScript)

The browser's cache keeps the trunk; a further domain costs its own parts.
`crypto.subtle` is there on https and localhost.

```js
const MODELS = {
@JS_MODELS@
};

async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.arrayBuffer();
}

async function rebuilt(domain) {
  const {sha256, parts} = MODELS[domain];
  const whole = await new Blob(await Promise.all(parts.map(bytes)))
      .arrayBuffer();
  const digest = await crypto.subtle.digest('SHA-256', whole);
  const hex = Array.from(
      new Uint8Array(digest), b => b.toString(16).padStart(2, '0')).join('');
  if (hex !== sha256) throw new Error(`${domain} is damaged`);
  return new Uint8Array(whole);
}

const network = await loadAndCompile(
    await rebuilt('@DOMAIN@'), {accelerator: 'wasm'});
```

MediaPipe takes the same bytes:
`baseOptions: {modelAssetBuffer: await rebuilt('@DOMAIN@')}`.
"""

BUNDLE = """\
### All domains in one file (JavaScript)

```js
const bundle = await loadAndCompile('@BUNDLE@', {accelerator: 'wasm'});
const [output] = await bundle.run('@DOMAIN@', [input]);
```
"""
