/** The service worker: keeps the page itself, so that it opens offline. */

declare const self: ServiceWorkerGlobalScope;
// Both are put in by build.mjs.
declare const FILES: string[];
declare const BUILD: string;

const SCOPE = self.registration.scope;
const NAME = `keras-mdl page ${SCOPE} ${BUILD}`;
const URLS = new Set(['', ...FILES].map(file => new URL(file, SCOPE).href));

self.addEventListener('install', event => {
  // Asked for anew (an answer may be "not changed"): builds do not mix.
  const requests = [...URLS].map(url => new Request(url, {cache: 'no-cache'}));
  event.waitUntil(caches.open(NAME).then(cache => cache.addAll(requests)));
});

self.addEventListener('activate', event => {
  event.waitUntil((async () => {
    for (const name of await caches.keys())
      if (name.startsWith(`keras-mdl page ${SCOPE} `) && name !== NAME)
        await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener('fetch', event => {
  const url = new URL(event.request.url);
  url.search = url.hash = '';
  // The export's files are the page's own business.
  if (event.request.method !== 'GET' || !URLS.has(url.href)) return;
  event.respondWith((async () => {
    const cache = await caches.open(NAME);
    return await cache.match(url.href) ?? fetch(event.request);
  })());
});

export {};
