// Antialiased bilinear shrinking, bit for bit as training did it (Pillow's
// Resample.c). Android's createScaledBitmap skips pixels and costs accuracy.

package sample

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max

private const val BITS = 22 // of the fixed-point weights

private class Weights(before: Int, after: Int, start: Int, number: Int) {
    private val scale = before.toDouble() / after
    private val support = max(scale, 1.0)
    private val length = ceil(support).toInt() * 2 + 1
    val first = IntArray(number)
    val count = IntArray(number)
    private val values = IntArray(number * length)

    init {
        for (n in 0 until number) {
            val middle = (start + n + 0.5) * scale
            first[n] = (middle - support + 0.5).toInt().coerceAtLeast(0)
            val end = (middle + support + 0.5).toInt().coerceAtMost(before)
            count[n] = end - first[n]
            val exact = DoubleArray(count[n]) {
                max(1 - abs((it + first[n] - middle + 0.5) / support), 0.0)
            }
            var sum = 0.0
            for (value in exact) sum += value
            for (i in exact.indices)
                values[n * length + i] =
                    (0.5 + exact[i] / sum * (1 shl BITS)).toInt()
        }
    }

    inline fun sum(n: Int, pixel: (Int) -> Int): Int {
        var sum = 1 shl (BITS - 1)
        for (i in 0 until count[n]) sum += pixel(i) * values[n * length + i]
        return (sum shr BITS).coerceAtMost(255)
    }
}

/**
 * The centre of an upright picture at the size of the network.
 *
 * `argb` are its pixels, row by row, as Bitmap.getPixels gives them. The
 * result is RGB in 0..255, row by row: the network normalises.
 */
fun centre(argb: IntArray, width: Int, height: Int, toWidth: Int, toHeight: Int): ByteArray {
    // It is scaled until it just covers the network's input, and cut.
    val across = toWidth.toLong() * height >= toHeight.toLong() * width
    val whole =
        if (across) toWidth to (toWidth.toDouble() * height / width).toInt()
        else (toHeight.toDouble() * width / height).toInt() to toHeight
    val columns = Weights(width, whole.first, (whole.first - toWidth) / 2, toWidth)
    val rows = Weights(height, whole.second, (whole.second - toHeight) / 2, toHeight)
    val low = rows.first[0]
    val high = rows.first.last() + rows.count.last()
    val stride = toWidth * 3
    val narrow = IntArray((high - low) * stride)
    for (y in low until high) for (x in 0 until toWidth) for (c in 0..2)
        narrow[(y - low) * stride + x * 3 + c] = columns.sum(x) { i ->
            argb[y * width + columns.first[x] + i] shr (16 - 8 * c) and 255
        }
    return ByteArray(toHeight * stride) { at ->
        val y = at / stride
        rows.sum(y) { i ->
            narrow[(rows.first[y] - low + i) * stride + at % stride]
        }.toByte()
    }
}
