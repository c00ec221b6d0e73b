// Pixels (ARGB, big endian) through the sample's `centre`, for a test.

import java.io.File
import java.nio.ByteBuffer
import sample.centre

fun main(args: Array<String>) {
    val (width, height, toWidth, toHeight) = args.drop(2).map { it.toInt() }
    val argb = IntArray(width * height)
    ByteBuffer.wrap(File(args[0]).readBytes()).asIntBuffer().get(argb)
    File(args[1]).writeBytes(centre(argb, width, height, toWidth, toHeight))
}
