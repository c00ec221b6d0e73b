@file:Suppress("UNUSED_PARAMETER")

package android.view

import android.content.Context

open class View(context: Context) {
    fun interface OnClickListener {
        fun onClick(view: View)
    }

    fun setOnClickListener(listener: OnClickListener?): Unit = TODO()
}
