/** Who made an export: the Ed25519 signature of its manifest. */

/**
 * The key that must have signed every export that this page runs: its
 * SubjectPublicKeyInfo in base64, or '' if exports need not be signed.
 */
export function pinnedKey(): string {
  const found = document.querySelector<HTMLMetaElement>(
      'meta[name="export-key"]');
  return found?.content ?? '';
}

/** Throws an `Error` unless the owner of the key has signed the bytes. */
export async function checkSignature(
    key: string, content: BufferSource, signature: BufferSource) {
  let own: CryptoKey;
  try {
    const bytes = Uint8Array.from(atob(key), c => c.charCodeAt(0));
    own = await crypto.subtle.importKey(
        'spki', bytes, 'Ed25519', false, ['verify']);
  } catch (error) {  // browsers of before 2025
    throw new Error(
        'Signed exports need a browser that knows Ed25519: ' +
        (error as Error).message);
  }
  if (!await crypto.subtle.verify('Ed25519', own, signature, content))
    throw new Error(
        'manifest.json was not signed by the owner of this page\'s key, or ' +
        'was changed after it was');
}
