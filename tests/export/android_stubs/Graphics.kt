@file:Suppress("UNUSED_PARAMETER")

package android.graphics

class Matrix {
    fun postRotate(degrees: Float): Boolean = TODO()
}

class Bitmap {
    val width: Int = TODO()
    val height: Int = TODO()

    fun getPixels(
        pixels: IntArray, offset: Int, stride: Int,
        x: Int, y: Int, width: Int, height: Int
    ): Unit = TODO()

    companion object {
        @JvmStatic
        fun createBitmap(
            source: Bitmap, x: Int, y: Int, width: Int, height: Int,
            matrix: Matrix?, filter: Boolean
        ): Bitmap = TODO()
    }
}
