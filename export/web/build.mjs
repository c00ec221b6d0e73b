// Builds the page into the Python package: `npm ci && npm run build`.

import {createHash} from 'node:crypto';
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {build} from 'esbuild';

const SRC = 'src';
const OUT = '../keras_mdl_export/web';
const LITERT = 'node_modules/@litertjs/core';
const ZSTD = 'node_modules/@bokuweb/zstd-wasm';
const RUNTIME = 'litert_wasm_compat_internal';

await rm(OUT, {recursive: true, force: true});
await mkdir(`${OUT}/litert`, {recursive: true});
for (const end of ['js', 'wasm'])
  await copy(`${LITERT}/wasm/${RUNTIME}.${end}`, `litert/${RUNTIME}.${end}`);
await copy(`${ZSTD}/dist/web/zstd.wasm`, 'zstd.wasm');
for (const file of ['index.html', 'page.css'])
  await copy(`${SRC}/${file}`, file);
const options = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022'],
  legalComments: 'eof',
  logLevel: 'warning',
};
await build(
    {...options, entryPoints: [`${SRC}/main.ts`], outfile: `${OUT}/page.js`});

// The worker knows the page's files, and their hash names the build.
const files = [];
const hash = createHash('sha256');
for (const file of await filesOf(OUT)) {
  files.push(file);
  hash.update(file).update(await readFile(`${OUT}/${file}`));
}
await build({
  ...options,
  entryPoints: [`${SRC}/sw.ts`],
  outfile: `${OUT}/sw.js`,
  define: {
    FILES: JSON.stringify(files),
    BUILD: JSON.stringify(hash.digest('hex').slice(0, 16)),
  },
});
await writeFile(`${OUT}/NOTICE.txt`, await notice());
// From what it was built; a test compares it with the sources.
const sources = {};
for (const file of [...(await filesOf(SRC)).map(f => `${SRC}/${f}`),
                    'build.mjs', 'licences.txt', 'package-lock.json'])
  sources[file] =
      createHash('sha256').update(await readFile(file)).digest('hex');
await writeFile(
    `${OUT}/sources.json`, `${JSON.stringify(sources, null, 1)}\n`);

/** Without the package's mode bits, which differ. */
async function copy(from, to) {
  await writeFile(`${OUT}/${to}`, await readFile(from));
}

async function filesOf(folder) {
  const found = await readdir(folder, {recursive: true, withFileTypes: true});
  return found.filter(f => f.isFile())
      .map(f => `${f.parentPath}/${f.name}`.slice(folder.length + 1))
      .sort();
}

async function notice() {
  const text = ['This page contains:', ''];
  for (const folder of [LITERT, 'node_modules/@litertjs/wasm-utils', ZSTD]) {
    const {name, version, license} =
        JSON.parse(await readFile(`${folder}/package.json`, 'utf8'));
    text.push(`${name} ${version} (${license})`);
  }
  return [...text, '', await readFile('licences.txt', 'utf8')].join('\n');
}
