// What the sample app uses of Android, so that a compiler can check it.

@file:Suppress("UNUSED_PARAMETER")

package android

object Manifest {
    object permission {
        const val CAMERA = "android.permission.CAMERA"
    }
}
