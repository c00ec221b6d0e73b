"""The part of `USAGE.md` about packs, with places to fill in: `@PACKS@`.

Names of the APIs are from the sources of zstd-jni and zstd, and RFC 9842.
"""

PACKS = """\
## Updates over the air

A pack is a domain's file as the difference from a file that the device has:
the server sends it as it is, and the device

1. compares the SHA-256 of its base file with the pack's `base`,
2. decompresses the pack's zstd frame with the base file as dictionary, into
   exactly as many bytes as the result shall have,
3. compares the SHA-256 of the result, and renames it into place only then.

Take the expected SHA-256 of the result from your own signed source, not from
the pack: who can change a pack can change its header.

@PACKS@

Python: `keras_mdl_export.apply_pack(pack, base)` does all of it. Kotlin,
written for `com.github.luben:zstd-jni` 1.5.7 (on Android the `@aar`), **not
compiled or run by our tests**:

```kotlin
import com.github.luben.zstd.ZstdDecompressCtx
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import org.json.JSONObject

fun sha256(bytes: ByteArray) = MessageDigest.getInstance("SHA-256")
    .digest(bytes).joinToString("") { "%02x".format(it) }

/** `expected` and `size`: the result's, see the table. */
fun applied(
    pack: ByteArray, base: ByteArray, expected: String, size: Int
): ByteArray {
    require(pack.size > 12)
    require(String(pack, 0, 8, Charsets.US_ASCII) == "KMDLPACK")
    val length = ByteBuffer.wrap(pack).order(ByteOrder.LITTLE_ENDIAN).getInt(8)
    require(length in 2..minOf(65536, pack.size - 12))
    val header = JSONObject(String(pack, 12, length, Charsets.UTF_8))
    check(header.getJSONObject("base").getString("sha256") == sha256(base))
    val frame = pack.copyOfRange(12 + length, pack.size)
    val result = ZstdDecompressCtx().use {
        it.loadDict(base).decompress(frame, size)
    }
    check(sha256(result) == expected)
    return result
}
```

Swift: the same with `ZSTD_decompress_usingDict` of the package `libzstd`
(github.com/facebook/zstd).
"""

DCZ = """\
A web server can do the same with no code in the app (RFC 9842, for browsers
that offer it). It serves `@TRUNK@` with `Use-As-Dictionary: match="@URLS@"`,
a pattern of the URLs of the complete files. A request for one of them then
says `Available-Dictionary`; if that is the trunk's SHA-256, the answer is
`Content-Encoding: dcz` with `Vary: accept-encoding, available-dictionary`: the
40 bytes of the RFC (`5e2a4d1820000000`, then the trunk's SHA-256, binary) and
the complete file as a zstd frame with the trunk as dictionary. Every other
request gets the file itself. Compress at level 9 or above: lower levels do
not find the trunk again. Check the file's SHA-256 all the same.
"""
